//! The end of a runtime under connections of dropped sockets, in the middle of a message: they go on elsewhere, with what
//! their encryption has come to.

use std::sync::Arc;
use std::time::Duration;

use common::events::connected;
use common::place::{Place, Transport};
use common::within;
use purezmq::rustls::{ClientConfig, ServerConfig};
use purezmq::security::{KeyPair, Security};
use purezmq::{PullSocket, PushSocket};
use tokio::runtime::Builder;

use super::authority::Authority;

const MESSAGES: u8 = 4;
const SIZE: usize = 6 << 20;

/// How the two trust each other: what the bound one has, and the connecting one.
struct Trust {
    scheme: &'static str,
    security: Option<(Security, Security)>,
    tls: Option<(Arc<ServerConfig>, Arc<ClientConfig>)>,
}

fn trusts() -> [Trust; 3] {
    let keys = KeyPair::generate();
    let client = Security::curve_client(KeyPair::generate(), *keys.public());
    let authority = Authority::new();
    [
        Trust {
            scheme: "tcp",
            security: None,
            tls: None,
        },
        Trust {
            scheme: "tcp",
            security: Some((Security::curve_server(keys), client)),
            tls: None,
        },
        Trust {
            scheme: "tls+tcp",
            security: None,
            tls: Some((authority.server(), authority.client())),
        },
    ]
}

macro_rules! trusting {
    ($socket:ty, $trust:expr, $binds:expr) => {{
        let mut builder = <$socket>::builder();
        if let Some((server, client)) = &$trust.security {
            let own = if $binds { server } else { client };
            builder = builder.security(own.clone());
        }
        if let Some((server, client)) = &$trust.tls {
            builder = match $binds {
                true => builder.tls_server(server.clone()),
                false => builder.tls_client(client.clone()),
            };
        }
        builder
    }};
}

fn goes_on(trust: &Trust, sender_binds: bool, runtime: &mut Builder) {
    let place = Place::fixed(Transport::Tcp4);
    let at = place.endpoint.replace("tcp", trust.scheme);
    let home = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let (home, first) = (home.unwrap(), runtime.enable_all().build().unwrap());
    // It takes one message, and what the system holds.
    let pull = trusting!(PullSocket, trust, !sender_binds).recv_hwm(1);
    let mut pull = pull.build().unwrap();
    home.block_on(async {
        match sender_binds {
            false => drop(pull.bind(at.as_str()).await.unwrap()),
            true => pull.connect(at.as_str()).unwrap(),
        }
    });
    first.block_on(async {
        let mut push = trusting!(PushSocket, trust, sender_binds).build().unwrap();
        let mut monitor = push.monitor();
        match sender_binds {
            true => drop(push.bind(at.as_str()).await.unwrap()),
            false => push.connect(at.as_str()).unwrap(),
        }
        connected(&mut monitor).await;
        for number in 0..MESSAGES {
            push.send(vec![number; SIZE]).await.unwrap();
        }
        // The first is on its way.
        while pull.stats().queued_to_receive == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    drop(first);
    home.block_on(async {
        for number in 0..MESSAGES {
            let message = within("a message", pull.recv()).await.unwrap();
            let body = message.iter().next().unwrap();
            assert_eq!(body.len(), SIZE);
            assert!(body.iter().all(|byte| *byte == number), "message {number}");
        }
    });
}

#[test]
fn connections_of_dropped_sockets_go_on_when_their_runtime_ends() {
    for trust in trusts() {
        for sender_binds in [false, true] {
            goes_on(&trust, sender_binds, &mut Builder::new_current_thread());
            let mut several = Builder::new_multi_thread();
            goes_on(&trust, sender_binds, several.worker_threads(1));
        }
    }
}
