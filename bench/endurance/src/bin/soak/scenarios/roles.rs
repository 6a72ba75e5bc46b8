//! Peers that come and go, for every type in each of its roles: whose application only sends, only receives, or does
//! neither.

use common::raw::{RawPeer, greeting, ready, short_frame};
use common::roles::each_role;
use purezmq::options::{OptionId, Options};
use purezmq::{AnySocket, Context};
use purezmq_endurance::Failure;

use super::{ANY_PORT, Progress, random};

/// Messages that departed peers may leave, of each socket: the first has left them soon, and what waits is the same from
/// then on.
const LEFT: usize = 1;

/// All of them at the same time, and one peer at a time: what it says is counted.
pub(super) async fn every_role(progress: Progress) -> Result<(), Failure> {
    let context = Context::new();
    let mut sockets = Vec::new();
    for (rules, role) in each_role() {
        let mut options = Options::of(rules.socket_type);
        let id = OptionId::by_name("departed_hwm").ok_or("no such option")?;
        // Who does not receive has no such option.
        let _ = options.set(id, LEFT);
        let mut socket = AnySocket::with_options(rules.socket_type, &context, options)?;
        let endpoint = socket.bind(ANY_PORT).await?;
        sockets.push((socket, endpoint, rules, role));
    }
    loop {
        for (socket, endpoint, rules, role) in &mut sockets {
            let mut peer = RawPeer::connect(endpoint).await;
            let hello = [&greeting()[..], &ready(rules.socket_type.peers()[0].name())].concat();
            // Who is a PAIR's second peer is turned away.
            peer.try_send(&hello).await;
            peer.try_send(&short_frame(b"what it has to say").repeat(random(0..5) as usize))
                .await;
            role.act(socket);
            match random(0..3) {
                0 => peer.reset(),
                _ => drop(peer),
            }
            role.act(socket);
            progress.count(1);
            progress.pause(0..4).await;
        }
    }
}
