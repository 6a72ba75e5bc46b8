//! Who has sent a message is what libzmq says of it with `zmq_msg_gets`.

use common::peer::Peer as _;
use common::python::Pyzmq;
use common::within;
use purezmq::security::{Admission, AuthRequest, KeyPair, Security};
use purezmq::{Context, DealerSocket, RouterSocket};
use serde_json::{Value, json};

use super::message_peer::{MECHANISMS, Mechanism};

/// The properties of a message that pyzmq is asked about. `Routing-Id` is not among them: libzmq's manual has it, but
/// libzmq gives what a peer calls itself as `Identity` only.
const PROPERTIES: [&str; 5] = [
    "User-Id",
    "Peer-Address",
    "Socket-Type",
    "Identity",
    "X-None",
];

/// libzmq as the server, and then us, with the same client: both say the same of its message.
#[tokio::test]
async fn it_is_what_libzmq_says() {
    for mechanism in MECHANISMS {
        let server = KeyPair::generate();
        let client = KeyPair::generate();
        let client_security = || match mechanism {
            Mechanism::Null => Security::Null,
            Mechanism::Plain => Security::plain_client("joe", "1").unwrap(),
            Mechanism::Curve => Security::curve_client(client.clone(), *server.public()),
        };
        let mut options = match mechanism {
            // Without a domain it asks nobody; with one, pyzmq's handler would look for another domain's users.
            Mechanism::Null => json!({ "ZAP_DOMAIN": "test" }),
            Mechanism::Plain => json!({ "PLAIN_SERVER": 1 }),
            Mechanism::Curve => json!({
                "CURVE_SERVER": 1,
                "CURVE_PUBLICKEY": server.public().to_string(),
                "CURVE_SECRETKEY": server.secret().to_z85().to_string(),
            }),
        };
        // Else it writes IPv4 addresses as IPv6 ones.
        options["IPV6"] = 0.into();
        let mut theirs = Pyzmq::with_options("ROUTER", options).await;
        let order = json!({ "do": "authenticate", "passwords": { "joe": "1" }, "keys": "*" });
        theirs.call(order).await;
        let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
        let dealer = || {
            let builder = DealerSocket::builder().security(client_security());
            builder.routing_id("worker").build().unwrap()
        };
        let mut asks = dealer();
        asks.connect(endpoint.as_str()).unwrap();
        asks.send("x").await.unwrap();
        let said = theirs
            .call(json!({ "do": "who", "properties": PROPERTIES }))
            .await;

        let context = Context::new();
        let expected_user = said["User-Id"].as_str().unwrap_or_default().to_owned();
        context.set_authenticator(move |_: AuthRequest| {
            let user = expected_user.clone();
            async move { Ok(Admission::user(user)) }
        });
        let mut ours = RouterSocket::builder()
            .context(&context)
            .zap_domain("test")
            .security(match mechanism {
                Mechanism::Null => Security::Null,
                Mechanism::Plain => Security::plain_server(),
                Mechanism::Curve => Security::curve_server(server.clone()),
            })
            .build()
            .unwrap();
        let endpoint = ours.bind("tcp://127.0.0.1:*").await.unwrap();
        let mut asks = dealer();
        asks.connect(&endpoint).unwrap();
        asks.send("x").await.unwrap();
        within("a message", ours.recv_message()).await.unwrap();
        let peer = ours.last_peer().unwrap();
        for property in PROPERTIES {
            let own = peer
                .get(property)
                .map(|value| Value::from(String::from_utf8(value.into_owned()).expect("text")));
            assert_eq!(
                said[property],
                own.unwrap_or(Value::Null),
                "{property} under {mechanism:?}"
            );
        }
    }
}
