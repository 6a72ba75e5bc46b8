//! Examples, the programs of `examples/apps` and `pzmq`, as processes: built when they are missing or old, started, heard, and
//! ended.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::SystemTime;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::within;

/// A running example. Killed when dropped.
pub struct Example {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Example {
    /// Starts the example of this name, with these arguments.
    pub fn start(name: &str, arguments: &[&str]) -> Example {
        Example::run(&EXAMPLES.path(name), arguments)
    }

    /// Starts the program of this name of `examples/apps`, with these arguments.
    pub fn app(name: &str, arguments: &[&str]) -> Example {
        Example::run(&Example::app_path(name), arguments)
    }

    /// Returns where the program of this name of `examples/apps` is, for others to start.
    pub fn app_path(name: &str) -> PathBuf {
        APPS.path(name)
    }

    fn run(program: &Path, arguments: &[&str]) -> Example {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("start the example");
        let output = child.stdout.take().expect("standard output is piped");
        Example {
            child,
            output: BufReader::new(output).lines(),
        }
    }

    /// Waits for its next line.
    pub async fn line(&mut self) -> String {
        let line = within("a line of output", self.output.next_line())
            .await
            .expect("text");
        line.expect("the example has ended: its message is above")
    }

    /// Waits for a line that begins so, and returns what follows.
    pub async fn says(&mut self, start: &str) -> String {
        within(start, async {
            loop {
                let line = self.output.next_line().await.expect("text");
                let line = line.unwrap_or_else(|| panic!("it ended before it said {start:?}"));
                if let Some(rest) = line.strip_prefix(start) {
                    return rest.to_owned();
                }
            }
        })
        .await
    }

    /// Waits for a line of each of these, in whatever order they come: what is told by a monitor and what is received are two
    /// streams, and nothing orders them.
    pub async fn says_in_any_order(&mut self, lines: &[&str]) {
        let mut missing = lines.to_vec();
        while !missing.is_empty() {
            let line = self.line().await;
            missing.retain(|wanted| *wanted != line);
        }
    }

    /// Writes to its standard input.
    pub async fn types(&mut self, text: &str) {
        let input = self.child.stdin.as_mut().expect("it has not ended");
        let written = input.write_all(text.as_bytes()).await;
        written.expect("the example reads its input");
    }

    /// Writes to its standard input, and ends that.
    pub async fn input(&mut self, text: &str) {
        let mut input = self.child.stdin.take().expect("standard input is piped");
        input
            .write_all(text.as_bytes())
            .await
            .expect("the example reads its input");
    }

    /// The rest of its output, once it has ended without an error.
    pub async fn rest(self) -> String {
        let (status, rest) = self.end().await;
        assert!(status.success(), "{status}, after:\n{rest}");
        rest
    }

    /// How it has ended by itself, and the rest of its output.
    pub async fn end(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        let mut output = self.output.into_inner();
        within("the end of the output", output.read_to_string(&mut rest))
            .await
            .expect("text");
        let status = within("the end of the example", self.child.wait())
            .await
            .expect("status");
        (status, rest)
    }

    /// How many bytes of memory it has had at most.
    pub fn peak_memory(&self) -> usize {
        let id = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let peak: usize = peak.expect("it is told").parse().expect("a number");
        peak * 1024
    }

    /// Sends it a signal: `STOP` and `CONT` to hang for a while, `INT` and `TERM` to be told to end.
    pub fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("it runs");
        let id = Pid::from_raw(id.try_into().expect("a process id")).expect("not 0");
        rustix::process::kill_process(id, signal).expect("it runs");
    }

    /// Ends it without a word (SIGKILL), and waits until it has gone.
    pub async fn kill(mut self) {
        within("its end", self.child.kill()).await.expect("it runs");
    }
}

/// Where programs come from.
struct Programs {
    package: &'static str,
    /// Which of the package's targets, as cargo is told.
    targets: &'static str,
    /// In the folder of the profile.
    folder: &'static str,
    /// What they are made of, beside the library.
    sources: &'static str,
    newest_source: OnceLock<SystemTime>,
    built: Mutex<bool>,
}

static EXAMPLES: Programs = Programs {
    package: "purezmq-examples",
    targets: "--examples",
    folder: "examples",
    sources: "examples",
    newest_source: OnceLock::new(),
    built: Mutex::new(false),
};

static APPS: Programs = Programs {
    package: "purezmq-apps",
    targets: "--bins",
    folder: "",
    sources: "examples",
    newest_source: OnceLock::new(),
    built: Mutex::new(false),
};

static TOOL: Programs = Programs {
    package: "purezmq-cli",
    targets: "--bins",
    folder: "",
    sources: "cli/src",
    newest_source: OnceLock::new(),
    built: Mutex::new(false),
};

/// Returns where `pzmq` is, as the sources have it.
pub fn pzmq() -> PathBuf {
    TOOL.path("pzmq")
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Returns when the newest file in a folder was changed.
fn newest(folder: &Path) -> SystemTime {
    let entries = folder.read_dir().expect("a folder");
    let ages = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => newest(&path),
            false => path
                .metadata()
                .and_then(|file| file.modified())
                .expect("a file"),
        }
    });
    ages.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

impl Programs {
    /// Returns where a program is. All tests of the workspace are built together with them; when a test program is run alone,
    /// the first test that finds one missing, or older than the sources, has them built.
    fn path(&self, name: &str) -> PathBuf {
        let test = std::env::current_exe().expect("the path of this program");
        let profile = test.ancestors().nth(2).expect("a folder");
        let path = profile.join(self.folder).join(name);
        let mut built = self.built.lock().expect("nobody has failed to build them");
        let made = path.metadata().and_then(|file| file.modified()).ok();
        if !*built && made < Some(*self.newest_source()) {
            self.build(profile);
            *built = true;
        }
        path
    }

    fn newest_source(&self) -> &SystemTime {
        self.newest_source.get_or_init(|| {
            let folders = [self.sources, "patterns/src", "zmtp/src"];
            let newest = folders.map(|folder| newest(&Path::new(ROOT).join(folder)));
            newest.into_iter().max().expect("there are three")
        })
    }

    /// Builds them with the profile that this program has, beside it.
    fn build(&self, profile: &Path) {
        let name = profile.file_name().and_then(|name| name.to_str());
        let mut cargo = std::process::Command::new(env!("CARGO"));
        // What cargo tells this test of its package: the build script of a dependency would take it for a change.
        for (name, _) in std::env::vars_os() {
            let told = ["CARGO_PKG_", "CARGO_MANIFEST_"];
            let name = name.to_string_lossy();
            if told.iter().any(|start| name.starts_with(start)) {
                cargo.env_remove(&*name);
            }
        }
        let built = cargo
            .args(["build", "--quiet", "--package", self.package, self.targets])
            .args(["--all-features", "--profile"])
            .arg(name.map_or("dev", |name| if name == "debug" { "dev" } else { name }))
            .arg("--target-dir")
            .arg(profile.parent().expect("a folder"))
            .current_dir(ROOT)
            .status();
        let built = built.expect("cargo runs");
        assert!(built.success(), "{}: {built}", self.package);
    }
}

/// A folder, and endpoints in it by name.
pub struct Folder(TempDir);

#[allow(clippy::new_without_default, reason = "only tests call it")]
impl Folder {
    pub fn new() -> Folder {
        Folder(TempDir::with_prefix("purezmq-").expect("temporary folder"))
    }

    /// An endpoint.
    pub fn ipc(&self, name: &str) -> String {
        format!("ipc://{}", self.path(name))
    }

    /// A file.
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}
