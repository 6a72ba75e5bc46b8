//! What the feature `curve` adds: keys, certificates and their files, and who is let in by its key.

mod directory;
mod files;
mod keys;

pub use zmtp::mechanism::{
    Certificate, CertificateError, KeyError, KeyPair, PublicKey, SecretKey, z85,
};

pub use self::files::{CertificateFileError, load_certificate, save_certificate};
pub use self::keys::CurveKeys;
