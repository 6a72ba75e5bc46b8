//! Whether a peer shakes hands: what speaks there, in which version, with which mechanism, whether it believes who we are, and
//! whether its socket type fits ours.

use purezmq::SocketType;
use purezmq::zmtp::wire::greeting::{self, Greeting};
use purezmq::zmtp::{Error, Incompatible, PeerInfo};

use super::{Doctor, foreign};
use crate::failure::Failure;
use crate::probe::{self, End, Guest, Link, Place};

impl Doctor<'_> {
    /// Shakes hands. Returns the peer's type, if there is more to look at.
    pub(super) async fn meet(&self, place: &Place) -> Result<Option<SocketType>, Failure> {
        let met = probe::meet(place, self.args.own, &self.security, self.args.timeout).await;
        let (link, met) = match met {
            Ok(done) => done,
            Err(error) => {
                self.wrong(format_args!("{place} cannot be reached any more: {error}"))?;
                return Ok(None);
            }
        };
        let Some(greeting) = link.greeting() else {
            let first = link.first().to_vec();
            // One that has time for one connection only has it for the next question.
            drop(link);
            let is_silent = matches!(met, Err(End::Silent));
            self.old_or_foreign(place, &first, is_silent).await?;
            return Ok(None);
        };
        let (major, minor) = (greeting.major, greeting.minor);
        self.ok(format_args!("it speaks ZMTP {major}.{minor}"))?;
        if !self.mechanism(&greeting, &met)? || !self.credentials(&link, &met)? {
            return Ok(None);
        }
        match met {
            Ok(info) => self.fits(info.socket_type),
            Err(end) => match Guest::told(&end) {
                Some(peer) => self.fits(Some(peer)),
                None => {
                    self.unfit(&end)?;
                    Ok(None)
                }
            },
        }
    }

    /// Says what speaks there, if it is not ZMTP 3.
    async fn old_or_foreign(
        &self,
        place: &Place,
        first: &[u8],
        is_silent: bool,
    ) -> Result<(), Failure> {
        if let Some(what) = foreign::named(first) {
            return self.wrong(format_args!("{place} {what}"));
        }
        if first.is_empty() {
            return match foreign::ask(place, self.args.timeout).await {
                Some(what) => self.wrong(format_args!("{place} {what}")),
                None if is_silent => self.wrong(format_args!(
                    "{place} takes connections and says nothing: a ZMTP peer greets at once, so this is none, or it hangs"
                )),
                None => self.wrong(format_args!(
                    "{place} closes the connection without a greeting: it is no ZMTP peer, or keeps this address out"
                )),
            };
        }
        let version = match greeting::identify(first) {
            greeting::Peer::V1 if foreign::is_identity(first) => "1.0 (ZeroMQ 2)",
            greeting::Peer::Revision0 => "1.0 (ZeroMQ 2)",
            greeting::Peer::V2 => "2.0 (ZeroMQ 3)",
            _ => {
                return self.wrong(format_args!(
                    "{place} speaks no ZMTP: it begins with {:?}",
                    String::from_utf8_lossy(first)
                ));
            }
        };
        let what = format!("{place} speaks ZMTP {version}, which is too old");
        match self.security.allows_downgrade() {
            true => self.note(format_args!(
                "{what} to tell its socket type, or to have security: whether it fits, nobody can check"
            )),
            false => self.wrong(format_args!(
                "{what} for {}: it has no security at all",
                self.security.name()
            )),
        }
    }

    fn mechanism(&self, greeting: &Greeting, met: &Result<PeerInfo, End>) -> Result<bool, Failure> {
        let (theirs, ours) = (probe::mechanism(greeting), self.security.name());
        let is_other = matches!(
            met,
            Err(End::Protocol(Error::Incompatible(
                Incompatible::Mechanism { .. }
            )))
        );
        if is_other || theirs != ours {
            let hint = match theirs.as_str() {
                "NULL" => "leave --plain and --curve out, or give the peer a mechanism",
                "PLAIN" => "give --plain USER:PASSWORD",
                "CURVE" => "give --server-key, and --curve if it wants to know who you are",
                _ => "this tool does not speak it",
            };
            self.wrong(format_args!(
                "the mechanisms differ: the peer wants {theirs}, and this side speaks {ours}: {hint}"
            ))?;
            return Ok(false);
        }
        if theirs != "NULL" && greeting.as_server && self.security.is_server() {
            self.wrong(format_args!(
                "both sides are {theirs} servers: one has to be the client"
            ))?;
            return Ok(false);
        }
        self.ok(format_args!("both sides speak {theirs}"))?;
        Ok(true)
    }

    /// Says whether the peer believes who we are, and is who we believe.
    fn credentials(&self, link: &Link, met: &Result<PeerInfo, End>) -> Result<bool, Failure> {
        let has_answered = link.heard() > greeting::GREETING;
        let status = met.as_ref().err().and_then(End::status);
        let wrong = match (met, status) {
            (_, Some(reason)) => Some(match self.security.name() {
                "NULL" => format!(
                    "the peer refuses this address ({reason}): its ZAP handler does not let it in"
                ),
                "PLAIN" => format!(
                    "the peer refuses the name or the password ({reason}): its ZAP handler does not know them"
                ),
                _ => format!(
                    "the server key is right, and the peer refuses ours ({reason}): its ZAP handler has no entry for it"
                ),
            }),
            (Err(End::Closed | End::Silent), _) if self.security.encrypts() && !has_answered => {
                Some(
                    "the peer could not read our HELLO: --server-key is not its public key"
                        .to_owned(),
                )
            }
            (Err(End::Protocol(Error::Violation(violation))), _) if self.security.encrypts() => {
                Some(format!("the keys do not fit: {violation}"))
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.wrong(wrong)?;
            return Ok(false);
        }
        if met.is_ok() && self.security.name() != "NULL" {
            self.ok("the peer has let us in")?;
        }
        Ok(true)
    }

    /// Says whether the socket types fit. Returns the peer's type if there is more to look at.
    fn fits(&self, peer: Option<SocketType>) -> Result<Option<SocketType>, Failure> {
        let Some(peer) = peer else {
            self.note("the peer does not say which socket type it is")?;
            return Ok(None);
        };
        let fitting: Vec<_> = peer.peers().iter().map(|kind| kind.name()).collect();
        let fitting = fitting.join(", ");
        match self.args.own {
            None => self.ok(format_args!("it is a {peer}, which talks to {fitting}"))?,
            Some(own) if own.accepts(peer) => {
                self.ok(format_args!("it is a {peer}, which talks to {own}"))?;
            }
            Some(own) => {
                self.wrong(format_args!(
                    "the socket types do not fit: the peer is a {peer}, which talks to {fitting}, and not to {own}"
                ))?;
                return Ok(None);
            }
        }
        Ok(Some(peer))
    }

    /// Says what is left that may be wrong with a handshake that failed.
    fn unfit(&self, end: &End) -> Result<(), Failure> {
        let kind = match self.args.own {
            Some(own) => format!("a {own} does not fit it"),
            None => "its socket type is another one than was tried (give --type)".to_owned(),
        };
        match end {
            End::Closed => self.wrong(format_args!(
                "the peer closed the connection in the handshake: {kind}, or its ZAP handler lets nobody in for now"
            )),
            other => self.wrong(format_args!("the handshake failed: {other}")),
        }
    }
}
