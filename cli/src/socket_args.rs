//! The arguments that make a socket: endpoints, options by name, and security. Every command that opens one flattens them.

use std::path::{Path, PathBuf};

use purezmq::options::{OptionId, Options};
use purezmq::security::{CurveKeys, KeyPair, PlainUsers, PublicKey, Security, load_certificate};
use purezmq::{AnySocket, BindError, ConnectError, Context, Endpoint, SocketType};

use crate::failure::Failure;
use crate::say;
use crate::tls_args::TlsArgs;

#[derive(clap::Args)]
pub(crate) struct SocketArgs {
    /// Bind to this endpoint; may be given more than once
    #[arg(long, short, value_name = "ENDPOINT")]
    bind: Vec<String>,
    /// Connect to this endpoint; may be given more than once
    #[arg(long, short, value_name = "ENDPOINT")]
    connect: Vec<String>,
    #[command(flatten)]
    setup: SetupArgs,
}

/// What a socket is like, wherever it is bound or connected.
#[derive(clap::Args)]
pub(crate) struct SetupArgs {
    /// Set an option, by our name or libzmq's: send_hwm=10, SNDHWM=10
    #[arg(long, short, value_name = "OPTION=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    security: SecurityArgs,
    #[command(flatten)]
    tls: TlsArgs,
}

#[derive(clap::Args)]
pub(crate) struct SecurityArgs {
    /// Be a PLAIN client with this name and password
    #[arg(long, value_name = "USER:PASSWORD", conflicts_with = "curve")]
    plain: Option<String>,
    /// Be a PLAIN server; the file has a line USER=PASSWORD for each client
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plain", "curve", "server_key"])]
    plain_users: Option<PathBuf>,
    /// Speak CURVE with the keys of this file; as server without --server-key
    #[arg(long, value_name = "FILE")]
    curve: Option<PathBuf>,
    /// Let in only CURVE clients whose certificates are in this directory
    #[arg(
        long,
        value_name = "DIRECTORY",
        requires = "curve",
        conflicts_with = "server_key"
    )]
    curve_clients: Option<PathBuf>,
    /// Be a CURVE client of this server: a certificate file, or Z85
    #[arg(
        long,
        value_name = "KEY",
        conflicts_with = "plain",
        allow_hyphen_values = true
    )]
    server_key: Option<String>,
}

impl SocketArgs {
    /// Makes the socket, and binds and connects it. What is bound to a port or path of the system's choice is said on
    /// standard error.
    pub(crate) async fn open(
        &self,
        socket_type: SocketType,
        context: &Context,
    ) -> Result<AnySocket, Failure> {
        if self.bind.is_empty() && self.connect.is_empty() {
            return Err(Failure::Usage(
                "nowhere to go: give --bind ENDPOINT or --connect ENDPOINT".to_owned(),
            ));
        }
        self.setup.prepare(context);
        let options = self.options(socket_type)?;
        let mut socket = AnySocket::with_options(socket_type, context, options)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        attach(&mut socket, &self.bind, &self.connect).await?;
        Ok(socket)
    }

    /// Returns the options of a socket of this type as the arguments have them.
    pub(crate) fn options(&self, socket_type: SocketType) -> Result<Options, Failure> {
        self.setup.options(socket_type)
    }

    /// Returns where it connects to.
    pub(crate) fn connects(&self) -> Vec<Endpoint> {
        let endpoints = self.connect.iter();
        endpoints.filter_map(|text| text.parse().ok()).collect()
    }

    /// Returns all endpoints.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.bind.iter().chain(&self.connect).map(String::as_str)
    }
}

/// Binds and connects a socket.
pub(crate) async fn attach(
    socket: &mut AnySocket,
    bind: &[String],
    connect: &[String],
) -> Result<(), Failure> {
    for endpoint in bind {
        let bound = socket.bind(endpoint.as_str()).await;
        let bound = bound.map_err(|error| match error {
            BindError::Endpoint(error) => Failure::Usage(error.to_string()),
            BindError::NoTls { endpoint } => Failure::Usage(format!(
                "{endpoint} proves who it is: give --tls-cert FILE and --tls-key FILE"
            )),
            error => Failure::Failed(error.to_string()),
        })?;
        if bound.to_string() != *endpoint {
            say(format_args!("bound to {bound}"));
        }
    }
    for endpoint in connect {
        let connected = socket.connect(endpoint.as_str());
        connected.map_err(|error| match error {
            ConnectError::Endpoint(error) => Failure::Usage(error.to_string()),
            ConnectError::NoTls { endpoint } => Failure::Usage(format!(
                "{endpoint} has to prove who it is: give --tls-ca FILE, and --set tls_server_name=NAME if its address is \
                 no name of a certificate"
            )),
            error => Failure::Failed(error.to_string()),
        })?;
    }
    Ok(())
}

impl SetupArgs {
    /// Tells the context who may come in, if the arguments say so.
    pub(crate) fn prepare(&self, context: &Context) {
        if let Some(file) = &self.security.plain_users {
            context.set_authenticator(PlainUsers::watch_file(file));
        }
        if let Some(directory) = &self.security.curve_clients {
            context.set_authenticator(CurveKeys::directory(directory));
        }
    }

    /// Returns the options of a socket of this type as the arguments have them.
    pub(crate) fn options(&self, socket_type: SocketType) -> Result<Options, Failure> {
        let mut options = Options::of(socket_type);
        if let Some(security) = self.security.chosen()? {
            options.set_security(security);
        }
        self.tls.set(&mut options)?;
        for setting in &self.set {
            let usage = |why: String| Failure::Usage(format!("--set {setting}: {why}"));
            let (name, value) = setting
                .split_once('=')
                .ok_or_else(|| usage("an option has the form NAME=VALUE".to_owned()))?;
            let id = OptionId::by_name(name)
                .or_else(|| OptionId::by_zmq_name(name))
                .or_else(|| OptionId::by_zmq_name(&format!("ZMQ_{}", name.to_uppercase())))
                .ok_or_else(|| usage("there is no such option".to_owned()))?;
            let value = id.parse(value).map_err(|error| usage(error.to_string()))?;
            options
                .set(id, value)
                .map_err(|error| usage(error.to_string()))?;
        }
        Ok(options)
    }
}

impl SecurityArgs {
    /// Returns the mechanism that the arguments ask for; `None`: none.
    pub(crate) fn chosen(&self) -> Result<Option<Security>, Failure> {
        if let Some(file) = &self.plain_users {
            let read = PlainUsers::from_file(file);
            read.map_err(|error| {
                Failure::of(format_args!("cannot read {}", file.display()), &error)
            })?;
            return Ok(Some(Security::plain_server()));
        }
        if let Some(plain) = &self.plain {
            let (user, password) = plain
                .split_once(':')
                .ok_or_else(|| Failure::Usage("--plain has the form USER:PASSWORD".to_owned()))?;
            let client = Security::plain_client(user, password)
                .map_err(|error| Failure::Usage(format!("--plain: {error}")))?;
            return Ok(Some(client));
        }
        let own = self.curve.as_deref().map(key_pair).transpose()?;
        Ok(match (own, &self.server_key) {
            (None, None) => None,
            (Some(own), None) => Some(Security::curve_server(own)),
            (own, Some(server)) => {
                let own = own.unwrap_or_else(KeyPair::generate);
                Some(Security::curve_client(own, public_key(server)?))
            }
        })
    }
}

/// Reads the certificate file of who has both keys.
fn key_pair(file: &Path) -> Result<KeyPair, Failure> {
    let said = format!("cannot read {}", file.display());
    let certificate = load_certificate(file).map_err(|error| Failure::of(&said, &error))?;
    certificate.key_pair().ok_or_else(|| {
        let file = file.display();
        Failure::Failed(format!(
            "{file} has no secret key: take the file that ends in _secret"
        ))
    })
}

/// Reads a public key, from a certificate file or as text.
fn public_key(key: &str) -> Result<PublicKey, Failure> {
    if let Ok(key) = key.parse() {
        return Ok(key);
    }
    load_certificate(key)
        .map(|certificate| *certificate.public_key())
        .map_err(|error| {
            Failure::of(
                format_args!("--server-key {key} is no key, and no certificate file"),
                &error,
            )
        })
}
