//! The program of `scripts/simulate`, which builds it as it has to be built.

#[cfg(purezmq_simulation)]
mod program;

#[cfg(purezmq_simulation)]
fn main() -> std::process::ExitCode {
    program::run()
}

#[cfg(not(purezmq_simulation))]
fn main() {
    eprintln!("this build has no simulation in it: scripts/simulate makes one that has");
    std::process::exit(2);
}
