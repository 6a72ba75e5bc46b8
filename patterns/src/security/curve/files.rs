//! Certificates in files, as CZMQ and `zmq.auth` keep them: `NAME` with the secret key is NAME_secret there, or
//! `NAME.key_secret`; the public one is for everybody.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use zeroize::Zeroizing;
use zmtp::mechanism::{Certificate, CertificateError};

/// A certificate could not be read from its file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFileError {
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It holds something else.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Reads a certificate. Blocks for as long as the file system does.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub fn load_certificate(path: impl AsRef<Path>) -> Result<Certificate, CertificateFileError> {
    let text = Zeroizing::new(fs::read_to_string(path)?);
    Ok(Certificate::parse(&text)?)
}

/// Writes a certificate: `path` gets the public part, and `path` with `_secret` at its end the whole, which only this
/// user may read. Files that are there are replaced. Blocks for as long as the file system does.
///
/// ```
/// use purezmq::security::{Certificate, KeyPair, load_certificate, save_certificate};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("client.key");
/// let certificate = Certificate::new(KeyPair::generate());
/// save_certificate(&certificate, &path)?;
/// assert!(load_certificate(&path)?.secret_key().is_none());
/// assert_eq!(load_certificate(folder.path().join("client.key_secret"))?, certificate);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The system's.
pub fn save_certificate(certificate: &Certificate, path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    if certificate.secret_key().is_some() {
        let mut secret = path.as_os_str().to_owned();
        secret.push("_secret");
        // One that is there may be readable for others; its permissions would stay.
        match fs::remove_file(&secret) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&secret)?;
        file.write_all(certificate.to_secret_text().as_bytes())?;
    }
    fs::write(path, certificate.to_public_text())
}
