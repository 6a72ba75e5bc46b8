//! `pzmq keygen`: CURVE keys, as text and as the certificate files of CZMQ and pyzmq (`zmq.auth`).

use std::path::{Path, PathBuf};

use purezmq::security::{Certificate, KeyPair, PublicKey, SecretKey, save_certificate};

use crate::failure::Failure;

const EXAMPLES: &str = "Examples:
  pzmq keygen                          print a key pair in Z85
  pzmq keygen server                   write server.key and server.key_secret
  pzmq keygen server --name 'plant 4'  the same, with a name in both
  pzmq keygen --public-of KEY          print the public key of a secret key";

/// Make CURVE keys
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Write certificate files FILE.key (for everybody) and FILE.key_secret (for the owner alone)
    file: Option<PathBuf>,
    /// Who or what the keys are for: metadata of the files
    #[arg(long, value_name = "TEXT", requires = "file")]
    name: Option<String>,
    /// Overwrite files that are there
    #[arg(long, requires = "file")]
    force: bool,
    /// Print the public key that belongs to this secret key (40 characters of Z85; `-` reads it from standard input)
    #[arg(
        long,
        value_name = "SECRET",
        conflicts_with = "file",
        allow_hyphen_values = true
    )]
    public_of: Option<String>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    if let Some(secret) = args.public_of {
        return crate::print(format_args!("{}\n", public_of(&secret)?));
    }
    let keys = KeyPair::generate();
    let Some(file) = args.file else {
        let (public, secret) = (keys.public(), keys.secret().to_z85());
        return crate::print(format_args!(
            "public-key = {public}\nsecret-key = {}\n",
            *secret
        ));
    };
    let path = with_end(&file, ".key");
    let secret = with_end(&file, ".key_secret");
    for there in [&path, &secret] {
        if !args.force && there.exists() {
            let there = there.display();
            return Err(Failure::Failed(format!(
                "{there} is there already; --force overwrites it"
            )));
        }
    }
    let mut certificate = Certificate::new(keys);
    certificate
        .metadata
        .extend(args.name.map(|name| ("name".to_owned(), name)));
    save_certificate(&certificate, &path)
        .map_err(|error| Failure::of(format_args!("cannot write {}", path.display()), &error))?;
    let (path, secret) = (path.display(), secret.display());
    crate::print(format_args!("{path}\n{secret}\n"))
}

fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(end);
    path.into()
}

fn public_of(secret: &str) -> Result<PublicKey, Failure> {
    let read;
    let secret = if secret == "-" {
        read = std::io::read_to_string(std::io::stdin())
            .map_err(|error| Failure::of("cannot read standard input", &error))?;
        read.trim()
    } else {
        secret
    };
    let secret: SecretKey = secret
        .parse()
        .map_err(|error| Failure::of("this is no secret key", &error))?;
    Ok(secret.public_key())
}
