//! What is generated of the commands' own description: completions for shells (`pzmq completions`) and manual pages
//! (`pzmq man`).

use std::fs;
use std::path::{Path, PathBuf};

use clap_complete::Shell;
use clap_mangen::Man;

use crate::failure::Failure;

const COMPLETIONS_EXAMPLES: &str = "Examples:
  pzmq completions bash > ~/.local/share/bash-completion/completions/pzmq
  pzmq completions zsh > ~/.zfunc/_pzmq";

const MAN_EXAMPLES: &str = "Examples:
  pzmq man ~/.local/share/man/man1";

/// Print a script that completes commands and options in a shell
#[derive(clap::Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// bash, elvish, fish, powershell or zsh
    #[arg(value_enum, hide_possible_values = true)]
    shell: Shell,
}

/// Write manual pages, one for each command
#[derive(clap::Args)]
#[command(after_help = MAN_EXAMPLES)]
pub(crate) struct ManArgs {
    /// The directory to write to
    directory: PathBuf,
}

pub(crate) fn completions(
    args: CompletionsArgs,
    mut command: clap::Command,
) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "pzmq", &mut script);
    crate::print(String::from_utf8_lossy(&script))
}

pub(crate) fn man(args: ManArgs, command: clap::Command) -> Result<(), Failure> {
    let directory = &args.directory;
    let made = fs::create_dir_all(directory);
    made.map_err(|error| unwritten(directory, &error))?;
    for sub in command.get_subcommands() {
        let name = format!("pzmq-{}", sub.get_name());
        page(directory, &name, sub.clone().name(name.clone()))?;
    }
    page(directory, "pzmq", command)
}

fn page(directory: &Path, name: &str, command: clap::Command) -> Result<(), Failure> {
    let mut page = Vec::new();
    let path = directory.join(format!("{name}.1"));
    Man::new(command)
        .render(&mut page)
        .and_then(|()| fs::write(&path, page))
        .map_err(|error| unwritten(&path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::of(format_args!("cannot write {}", path.display()), error)
}
