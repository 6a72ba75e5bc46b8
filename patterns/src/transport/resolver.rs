//! Looking up host names with the system's resolver, on threads of its own.
//!
//! The system's call blocks, for half a minute and longer if name servers do not answer, and cannot be cancelled. On
//! tokio's blocking threads it would hold up the runtime's end, and with enough such names whatever else uses them, such
//! as files. So there are a few threads here that nothing waits for, neither a runtime nor the process: made when there
//! is a name to look up, gone when there is none. Those who ask for the same name at a time share one look-up. Asynchronous
//! resolvers were left aside: they bring a protocol, a cache and some thirty crates, and leave out what `nsswitch.conf`
//! says.

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};

use tokio::sync::oneshot;

use crate::sync::Mutex;

/// Addresses, whose port is to be set, or why there are none, in words.
type Found = Result<Vec<SocketAddr>, String>;

/// Names that are looked up at the same time. More than these wait, for `connect_timeout` at most.
const THREADS: usize = 16;

static SYSTEM: LazyLock<Arc<Resolver>> = LazyLock::new(|| Resolver::new(THREADS, by_system));

/// Returns the addresses of a name.
///
/// # Cancel safety
/// A dropped future leaves the look-up to those who share it, or to nobody.
pub(super) async fn lookup(name: &str, port: u16) -> Found {
    let mut found = SYSTEM.lookup(name).await?;
    for address in &mut found {
        address.set_port(port);
    }
    Ok(found)
}

fn by_system(name: &str) -> Found {
    let found: Vec<_> = (name, 0)
        .to_socket_addrs()
        .map_err(|error| error.to_string())?
        .collect();
    if found.is_empty() {
        return Err("the name has no address".to_owned());
    }
    Ok(found)
}

struct Resolver {
    lookup: fn(&str) -> Found,
    threads: usize,
    work: Mutex<Work>,
}

#[derive(Default)]
struct Work {
    /// Names that nobody looks up yet, oldest first.
    queue: VecDeque<String>,
    /// Who waits for each name, those in the queue and those that are being looked up.
    asking: HashMap<String, Vec<oneshot::Sender<Found>>>,
    /// Threads that are there.
    running: usize,
}

impl Resolver {
    fn new(threads: usize, lookup: fn(&str) -> Found) -> Arc<Self> {
        Arc::new(Resolver {
            lookup,
            threads,
            work: Mutex::default(),
        })
    }

    async fn lookup(self: &Arc<Self>, name: &str) -> Found {
        let answer = self.ask(name);
        let nobody = |_| Err("the look-up was given up".to_owned());
        answer.await.unwrap_or_else(nobody)
    }

    /// Sees to it that a thread looks the name up.
    fn ask(self: &Arc<Self>, name: &str) -> oneshot::Receiver<Found> {
        let (answer, receiver) = oneshot::channel();
        let mut work = self.work.lock();
        if let Some(others) = work.asking.get_mut(name) {
            others.push(answer);
            return receiver;
        }
        work.asking.insert(name.to_owned(), vec![answer]);
        work.queue.push_back(name.to_owned());
        if work.running == self.threads {
            return receiver;
        }
        work.running += 1;
        drop(work);
        let resolver = self.clone();
        let thread = std::thread::Builder::new().name("purezmq-resolver".to_owned());
        if let Err(error) = thread.spawn(move || resolver.work()) {
            self.fail(name, &error);
        }
        receiver
    }

    /// Takes back what was to be looked up by a thread that the system has refused.
    fn fail(&self, name: &str, error: &std::io::Error) {
        let mut work = self.work.lock();
        work.running -= 1;
        work.queue.retain(|other| other != name);
        for asker in work.asking.remove(name).into_iter().flatten() {
            let _ = asker.send(Err(format!("no thread to look it up: {error}")));
        }
    }

    /// Looks names up until there are none.
    fn work(&self) {
        loop {
            let mut work = self.work.lock();
            let Some(name) = work.queue.pop_front() else {
                work.running -= 1;
                return;
            };
            let asking = work.asking.get(&name);
            if asking.is_none_or(|asking| asking.iter().all(oneshot::Sender::is_closed)) {
                // All have given up while it was in the queue.
                work.asking.remove(&name);
                continue;
            }
            drop(work);
            let found = (self.lookup)(&name);
            let asking = self.work.lock().asking.remove(&name);
            for asker in asking.into_iter().flatten() {
                let _ = asker.send(found.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex as StdMutex};
    use std::time::Duration;

    use super::*;

    /// Names that begin with `hang` hang until it is opened.
    static GATE: (StdMutex<bool>, Condvar) = (StdMutex::new(false), Condvar::new());

    fn hanging(name: &str) -> Found {
        if name.starts_with("hang") {
            let open = GATE.0.lock().unwrap();
            drop(GATE.1.wait_while(open, |open| !*open).unwrap());
        }
        match name {
            "unknown" => Err("there is none".to_owned()),
            _ => Ok(vec![SocketAddr::from(([10, 0, 0, 1], 0))]),
        }
    }

    #[tokio::test]
    async fn names_are_found_or_not() {
        let found = lookup("localhost", 7).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|address| address.port() == 7));
        assert!(lookup("no-such-host.invalid", 7).await.is_err());
    }

    /// They keep two threads busy, and hold up neither other names nor the runtime's end.
    #[test]
    fn names_that_hang_hold_nothing_up() {
        let resolver = Resolver::new(3, hanging);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            // The same name twice is one look-up.
            for name in ["hang-one", "hang-two", "hang-one"] {
                let resolver = resolver.clone();
                tokio::spawn(async move { resolver.lookup(name).await });
            }
            tokio::task::yield_now().await;
            let patience = Duration::from_secs(30);
            for (name, is_known) in [("known", true), ("unknown", false)] {
                let found = tokio::time::timeout(patience, resolver.lookup(name));
                assert_eq!(found.await.expect("in time").is_ok(), is_known);
            }
            assert!(resolver.work.lock().running <= 3);
        });
        drop(runtime);
        *GATE.0.lock().unwrap() = true;
        GATE.1.notify_all();
        while resolver.work.lock().running > 0 {
            std::thread::yield_now();
        }
        assert!(resolver.work.lock().asking.is_empty());
    }

    #[tokio::test]
    async fn a_name_that_nobody_waits_for_is_not_looked_up() {
        let resolver = Resolver::new(0, |_| unreachable!("nobody waits"));
        drop(resolver.ask("name"));
        let mut work = resolver.work.lock();
        work.running = 1;
        drop(work);
        resolver.work();
        assert!(resolver.work.lock().asking.is_empty());
        assert_eq!(resolver.work.lock().running, 0);
    }
}
