//! A telemetry collector with CURVE: key files that come, change and go while it runs. README.md says how to run it, and what
//! to break.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use purezmq::monitor::MonitorEventKind;
use purezmq::security::{
    Certificate, CurveKeys, KeyPair, PublicKey, Security, load_certificate, save_certificate,
};
use purezmq::{Context, PullSocket, PushSocket};

type Outcome = Result<(), Box<dyn Error>>;

/// How often the collector looks who is revoked, and a sensor whether its key is another one.
const LOOK: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["keys", folder, name] => Folder::new(folder).make_keys(name),
        ["retire", folder, name] => Folder::new(folder).retire(name),
        ["revoke", folder, name] => Folder::new(folder).revoke(name),
        ["collector", endpoint, folder] => collector(endpoint, &Folder::new(folder)).await,
        ["sensor", endpoint, folder, name] => sensor(endpoint, &Folder::new(folder), name).await,
        _ => Err("keys|retire|revoke FOLDER NAME, collector ENDPOINT FOLDER, or sensor ENDPOINT FOLDER NAME".into()),
    }
}

/// Key files: `NAME.key_secret` is who NAME is now, and `known/` has the public half of every key that is good.
struct Folder(PathBuf);

impl Folder {
    fn new(path: &str) -> Self {
        Folder(PathBuf::from(path))
    }

    fn known(&self) -> PathBuf {
        self.0.join("known")
    }

    /// Makes a key, or the next one: the old one is good until it is retired.
    fn make_keys(&self, name: &str) -> Outcome {
        fs::create_dir_all(self.known())?;
        let mut certificate = Certificate::new(KeyPair::generate());
        certificate
            .metadata
            .push(("name".to_owned(), name.to_owned()));
        let public = self.0.join(format!("{name}.key"));
        // The public half first: whoever has the secret one is let in.
        if name != "collector" {
            let number = self.of(name)?.keys().next_back().map_or(1, |last| last + 1);
            let text = certificate.to_public_text();
            fs::write(self.known().join(format!("{name}.{number}.key")), text)?;
        }
        save_certificate(&certificate, public)?;
        Ok(())
    }

    /// Takes away all keys but the newest.
    fn retire(&self, name: &str) -> Outcome {
        let mut keys = self.of(name)?;
        keys.pop_last();
        for path in keys.values() {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Takes away all keys.
    fn revoke(&self, name: &str) -> Outcome {
        for path in self.of(name)?.values() {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Returns the files of a name's good keys, by number.
    fn of(&self, name: &str) -> Result<BTreeMap<u64, PathBuf>, Box<dyn Error>> {
        let mut keys = BTreeMap::new();
        for entry in fs::read_dir(self.known())? {
            let path = entry?.path();
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let number = file
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".key")?.parse().ok());
            if let Some(number) = number {
                keys.insert(number, path);
            }
        }
        Ok(keys)
    }

    /// Returns all good keys, and whose they are.
    fn all(&self) -> Result<BTreeMap<PublicKey, String>, Box<dyn Error>> {
        let mut keys = BTreeMap::new();
        for entry in fs::read_dir(self.known())? {
            // One that is being written, or goes meanwhile, is looked at the next time.
            if let Ok(certificate) = load_certificate(entry?.path()) {
                let name = certificate.metadata.iter().find(|(key, _)| key == "name");
                let name = name.map_or_else(String::new, |(_, name)| name.clone());
                keys.insert(*certificate.public_key(), name);
            }
        }
        Ok(keys)
    }

    /// Returns whose key this is, and the secret.
    fn key_pair(&self, name: &str) -> Result<KeyPair, Box<dyn Error>> {
        let certificate = load_certificate(self.secret(name))?;
        Ok(certificate.key_pair().ok_or("no secret key")?)
    }

    fn secret(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.key_secret"))
    }
}

async fn collector(endpoint: &str, folder: &Folder) -> Outcome {
    let context = Context::new();
    // Looks into the folder for each sensor that comes: a new key needs no restart.
    context.set_authenticator(CurveKeys::directory(folder.known()));
    let mut socket = PullSocket::builder()
        .context(&context)
        .security(Security::curve_server(folder.key_pair("collector")?))
        .build()?;
    let mut monitor = socket.monitor();
    println!("listening on {}", socket.bind(endpoint).await?);

    let mut known = folder.all()?;
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            reading = socket.recv() => {
                let reading = reading?;
                // The name is what the certificate says: a sensor cannot say that it is another one.
                let peer = socket.last_peer().ok_or("it came from somebody")?;
                let name = peer.get("name").unwrap_or_default();
                println!("{}: {}", String::from_utf8_lossy(&name), reading.as_str()?);
            }
            // Who has been let in stays, until the connection ends: those whose key is good no more have to go.
            _ = look.tick() => {
                let now = folder.all()?;
                for (key, name) in known.iter().filter(|(key, _)| !now.contains_key(key)) {
                    let ended = context.disconnect_peer(*key);
                    println!("a key of {name} is good no more: {ended} connections ended");
                }
                known = now;
            }
            Some(event) = monitor.recv() => {
                if let MonitorEventKind::HandshakeFailed(_) = event.kind {
                    println!("kept out: {}", event.refused.as_deref().unwrap_or("somebody without a key"));
                }
            }
        }
    }
}

/// Sends a reading ten times a second, and changes to another key when its file changes.
async fn sensor(endpoint: &str, folder: &Folder, name: &str) -> Outcome {
    let collector = load_certificate(folder.0.join("collector.key"))?;
    let collector = *collector.public_key();
    let security =
        || Ok::<_, Box<dyn Error>>(Security::curve_client(folder.key_pair(name)?, collector));
    let mut changed = changed_at(&folder.secret(name))?;
    // While it is kept out, the newest readings wait, but not many.
    let mut socket = PushSocket::builder()
        .security(security()?)
        .send_hwm(10)
        .build()?;
    let mut monitor = socket.monitor();
    socket.connect(endpoint)?;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let mut look = tokio::time::interval(LOOK);
    for number in 0_u64.. {
        tokio::select! {
            _ = tick.tick() => {
                let degrees = 20.0 + (number as f64 / 50.0).sin();
                // Without room it is lost: the next one is newer.
                let _ = socket.try_send(format!("{degrees:.2} degrees"));
            }
            _ = look.tick() => {
                // Its file goes and comes when it is replaced.
                let Ok(now) = changed_at(&folder.secret(name)) else { continue };
                if now != changed {
                    let Ok(security) = security() else { continue };
                    changed = now;
                    socket.set_options(|options| options.security(security))?;
                    socket.disconnect(endpoint)?;
                    socket.connect(endpoint)?;
                    println!("goes on with another key");
                }
            }
            Some(event) = monitor.recv() => match event.kind {
                MonitorEventKind::HandshakeSucceeded => println!("let in"),
                // It might be a forger's word: the socket asks again, after 5 s and more.
                MonitorEventKind::HandshakeFailed(reason) => println!("kept out: {reason}"),
                _ => {}
            },
        }
    }
    Ok(())
}

fn changed_at(path: &Path) -> std::io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}
