//! TLS from PEM files: what endpoints `tls+tcp://` and `wss://` prove and believe.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use purezmq::options::Options;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct TlsArgs {
    /// TLS: our certificate, and those that lead to its authority, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// TLS: the private key of our certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// TLS: believe peers that these authorities vouch for, in PEM
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

impl TlsArgs {
    /// Returns whether there is anybody whose peers are believed: no client can do without.
    pub(crate) fn believes_somebody(&self) -> bool {
        self.tls_ca.is_some()
    }

    /// Sets the options `tls_server` and `tls_client` as far as there are files for them. A server with `--tls-ca` asks
    /// its clients for certificates.
    pub(crate) fn set(&self, options: &mut Options) -> Result<(), Failure> {
        let provider = Arc::new(ring::default_provider());
        let authorities = self.tls_ca.as_deref().map(authorities).transpose()?;
        let own = match (&self.tls_cert, &self.tls_key) {
            (Some(chain), Some(key)) => Some((certificates(chain)?, private_key(key)?)),
            _ => None,
        };
        let wrong = |error: &dyn std::error::Error| Failure::of("TLS", error);
        if let Some((chain, key)) = &own {
            let builder = ServerConfig::builder_with_provider(provider.clone())
                .with_safe_default_protocol_versions()
                .map_err(|error| wrong(&error))?;
            let builder = match &authorities {
                None => builder.with_no_client_auth(),
                Some(roots) => {
                    let verifier = WebPkiClientVerifier::builder_with_provider(
                        roots.clone(),
                        provider.clone(),
                    );
                    builder
                        .with_client_cert_verifier(verifier.build().map_err(|error| wrong(&error))?)
                }
            };
            let config = builder
                .with_single_cert(chain.clone(), key.clone_key())
                .map_err(|error| wrong(&error))?;
            options.set_tls_server(config);
        }
        if let Some(roots) = authorities {
            let builder = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| wrong(&error))?
                .with_root_certificates(roots);
            let config = match own {
                None => builder.with_no_client_auth(),
                Some((chain, key)) => builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| wrong(&error))?,
            };
            options.set_tls_client(config);
        }
        Ok(())
    }
}

fn unreadable(file: &Path, why: &dyn std::error::Error) -> Failure {
    Failure::of(format_args!("cannot read {}", file.display()), why)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unreadable(file, &error))?;
    if certificates.is_empty() {
        let file = file.display();
        return Err(Failure::Failed(format!("{file} has no certificate in PEM")));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| unreadable(file, &error))
}

fn authorities(file: &Path) -> Result<Arc<RootCertStore>, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|error| unreadable(file, &error))?;
    }
    Ok(Arc::new(roots))
}
