//! Hosts of a network of their own: namespaces, joined by veth pairs and a bridge, with links that can be cut.
//!
//! ```text
//!   host 1: eth0 10.77.0.1 ── port1 ╮
//!   host 2: eth0 10.77.0.2 ── port2 ├ bridge, in a namespace that is the switch
//!   host 3: eth0 10.77.0.3 ── port3 ╯
//! ```
//!
//! Nothing of it touches the machine's own network. Sockets live in a host because the thread that makes them, or
//! runs their tasks, has entered its namespace; that goes for libzmq's, too, whose threads inherit it. Namespaces are
//! named after the process and go when the [`Network`] is dropped; those of test processes that were killed go when
//! the next network is made.

use std::fs::{self, File};
use std::future::Future;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What names of namespaces begin with, before the process id.
const PREFIX: &str = "purezmq-";
const FOLDER: &str = "/run/netns";

/// A switch and its hosts. Dropped, it stops them and removes the namespaces.
pub(crate) struct Network {
    switch: String,
    hosts: Vec<Host>,
}

/// A namespace, and a thread in it that runs futures.
pub(crate) struct Host {
    namespace: String,
    runtime: Handle,
    _end: oneshot::Sender<()>,
}

impl Network {
    /// A switch with `count` hosts, numbered from 0. `None`, after loud words, where this process may not make
    /// namespaces.
    pub(crate) fn new(count: usize) -> Option<Network> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        sweep();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}-", std::process::id());
        let mut network = Network {
            switch: format!("{name}switch"),
            hosts: Vec::new(),
        };
        if let Err(reason) = try_ip(&["netns", "add", &network.switch]) {
            eprintln!(
                "\n*** SKIPPED: network namespaces need root and iproute2 ({reason}).\n\
                 *** What happens when links are cut is NOT tested here.\n"
            );
            return None;
        }
        network.ip("link add bridge type bridge stp_state 0");
        network.ip("link set bridge up");
        for host in 0..count {
            let namespace = format!("{name}host{}", host + 1);
            ip(&["netns", "add", &namespace]);
            // From here on, a panic removes it.
            network.hosts.push(Host::start(namespace.clone()));
            network.ip(&format!(
                "link add {} type veth peer name eth0 netns {namespace}",
                port(host)
            ));
            network.ip(&format!("link set {} up", port(host)));
            network.heal(host);
            let host = &network.hosts[host];
            host.ip("link set lo up");
            host.ip("link set eth0 up");
        }
        for host in 0..count {
            network.hosts[host].ip(&format!("addr add {}/24 dev eth0", address(host)));
        }
        Some(network)
    }

    pub(crate) fn host(&self, host: usize) -> &Host {
        &self.hosts[host]
    }

    /// From now on nothing reaches the host, and nothing of what it sends arrives. Its own interface stays up: it
    /// is told nothing.
    pub(crate) fn cut(&self, host: usize) {
        self.ip(&format!("link set {} nomaster", port(host)));
    }

    /// Undoes [`cut`](Self::cut).
    pub(crate) fn heal(&self, host: usize) {
        self.ip(&format!("link set {} master bridge", port(host)));
    }

    fn ip(&self, arguments: &str) {
        in_namespace(&self.switch, arguments);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let hosts = self.hosts.iter().map(|host| &host.namespace);
        for namespace in hosts.chain([&self.switch]) {
            remove(namespace);
        }
    }
}

impl Host {
    fn start(namespace: String) -> Host {
        let (end, ended) = oneshot::channel();
        let (teller, runtime) = std::sync::mpsc::channel();
        spawn_in(&namespace, move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            teller.send(runtime.handle().clone()).expect("it waits");
            // The sender is dropped with the host.
            let _ = runtime.block_on(ended);
        });
        Host {
            runtime: runtime
                .recv()
                .expect("the thread has entered the namespace"),
            namespace,
            _end: end,
        }
    }

    /// Runs a future on the host. Sockets that it makes are the host's.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.runtime.spawn(future)
    }

    /// Runs code that blocks in a thread on the host.
    pub(crate) fn thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        spawn_in(&self.namespace, work)
    }

    /// `ip` with these arguments, on the host.
    pub(crate) fn ip(&self, arguments: &str) {
        in_namespace(&self.namespace, arguments);
    }

    /// Slows down what the host sends: by a delay where the kernel has netem, else by a narrow link whose queue is
    /// as long as the delay once it is full. Says which.
    pub(crate) fn delay(&self, delay: Duration) -> &'static str {
        let milliseconds = delay.as_millis();
        let netem = format!("qdisc add dev eth0 root netem delay {milliseconds}ms");
        if tc(&self.namespace, &netem).is_ok() {
            return "netem";
        }
        let narrow =
            format!("qdisc add dev eth0 root tbf rate 256kbit burst 3kb latency {milliseconds}ms");
        tc(&self.namespace, &narrow).expect("the kernel has tbf");
        "tbf, since this kernel has no netem"
    }

    /// Whether all that the host's TCP connections have sent is acknowledged.
    pub(crate) fn has_sent_all(&self) -> bool {
        let mut list = Command::new("ip");
        list.args(["netns", "exec", &self.namespace, "ss", "-Htn"]);
        let output = list.output().expect("iproute2 has ss");
        let text = String::from_utf8_lossy(&output.stdout);
        // State, Recv-Q, Send-Q.
        let mut unacknowledged = text.lines().map(|line| line.split_whitespace().nth(2));
        unacknowledged.all(|bytes| bytes == Some("0"))
    }

    /// The command that runs a program on the host, for which `names` are its `/etc/hosts`.
    pub(crate) fn command(&self, program: &Path, names: &str) -> Command {
        self.set_names(names);
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace])
            .arg(program);
        command
    }

    /// Writes the names anew, into the file that a running program has as `/etc/hosts`.
    pub(crate) fn set_names(&self, names: &str) {
        let folder = names_of(&self.namespace);
        fs::create_dir_all(&folder).expect("a folder for the names");
        fs::write(folder.join("hosts"), names).expect("the names");
    }
}

/// The address that a host has first.
pub(crate) fn address(host: usize) -> String {
    format!("10.77.0.{}", host + 1)
}

fn port(host: usize) -> String {
    format!("port{}", host + 1)
}

fn names_of(namespace: &str) -> PathBuf {
    Path::new("/etc/netns").join(namespace)
}

fn spawn_in<T: Send + 'static>(
    namespace: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let namespace = File::open(Path::new(FOLDER).join(namespace)).expect("the namespace is there");
    thread::spawn(move || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("enter the namespace");
        work()
    })
}

fn in_namespace(namespace: &str, arguments: &str) {
    let all: Vec<_> = ["-n", namespace]
        .into_iter()
        .chain(arguments.split(' '))
        .collect();
    ip(&all);
}

fn ip(arguments: &[&str]) {
    try_ip(arguments).unwrap_or_else(|error| panic!("ip {}: {error}", arguments.join(" ")));
}

fn try_ip(arguments: &[&str]) -> Result<(), String> {
    run(Command::new("ip").args(arguments))
}

fn tc(namespace: &str, arguments: &str) -> Result<(), String> {
    run(Command::new("tc")
        .args(["-n", namespace])
        .args(arguments.split(' ')))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

fn remove(namespace: &str) {
    let _ = try_ip(&["netns", "delete", namespace]);
    let _ = fs::remove_dir_all(names_of(namespace));
}

/// Removes what test processes have left that were killed.
fn sweep() {
    let Ok(entries) = fs::read_dir(FOLDER) else {
        return;
    };
    for name in entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
    {
        let process = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            remove(&name);
        }
    }
}
