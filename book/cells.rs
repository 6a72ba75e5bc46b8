//! What stands in the tables of the pages for those who come from elsewhere, so that the compiler has seen it. Nothing of it
//! is run. `tests/documents/calls.rs` looks for each of the tables' calls here.
#![allow(dead_code, unused, clippy::all)]
#![cfg_attr(rustfmt, rustfmt_skip)]

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use purezmq::blocking::{Interest, Key, Poller};
use purezmq::options::OptionId;
use purezmq::security::{
    Addresses, Certificate, CurveKeys, KeyPair, PlainUsers, PublicKey, SecretKey, Security, load_certificate,
    save_certificate, z85,
};
use purezmq::{
    Addressed, AnySocket, Context, DealerSocket, DishSocket, Endpoint, Frame, Message, MonitorEvent, PeerId, PeerSocket,
    Proxy, PullSocket, PushSocket, RadioSocket, RecvError, ReqSocket, Routed, RouterSocket, SendError, ServerSocket,
    SocketType, SubSocket, XPubSocket, proxy,
};

type Done = Result<(), Box<dyn Error>>;

async fn contexts(context: Context, limit: Duration, n: usize, begin: fn(usize)) -> Done {
    Context::with_io_threads(1)?;
    Context::with_io_threads(2)?;
    Context::with_io_threads(n)?;
    Context::with_prepared_io_threads(n, begin)?;
    Context::global();
    Context::new();
    context.close(limit).await;
    context.close(Duration::ZERO).await;
    Ok(())
}

async fn made(context: Context) -> Done {
    PushSocket::new();
    ReqSocket::new();
    PushSocket::builder().send_hwm(10).build()?;
    PushSocket::builder().context(&context).build()?;
    AnySocket::new("PUSH".parse()?, &context)?;
    AnySocket::new(SocketType::Push, &context)?;
    Ok(())
}

async fn options(mut socket: PushSocket, n: usize, limit: Duration) -> Done {
    DealerSocket::builder().linger(Duration::from_secs(1)).routing_id("name").connect_timeout(limit).connect_timeout(None);
    DealerSocket::builder().linger(Duration::ZERO).send_hwm(n).recv_hwm(n).zap_domain("name");
    DealerSocket::builder().recv_timeout(Duration::from_secs(1)).recv_timeout(limit);
    SubSocket::builder().conflate(true).conflate_topics(true);
    socket.set_options(|options| options.send_hwm(20))?;
    socket.set_options(|options| options.linger(Duration::ZERO))?;
    socket.set_linger(Some(limit));
    let options = socket.options();
    options.get(OptionId::by_number(17).unwrap());
    options.get(OptionId::by_name("linger").unwrap());
    Ok(())
}

async fn endpoints(mut socket: PullSocket, endpoint: Endpoint, listener: std::net::TcpListener) -> Done {
    let endpoint = socket.bind("tcp://127.0.0.1:*").await?;
    let endpoint = socket.bind(endpoint).await?;
    socket.connect("tcp://host:5555")?;
    socket.connect(&endpoint)?;
    socket.last_endpoint();
    socket.socket_type();
    endpoint.transport();
    endpoint.tcp();
    endpoint.port();
    "tcp://127.0.0.1:5555".parse::<Endpoint>()?;
    socket.adopt(listener).await?;
    Ok(())
}

async fn endings(mut socket: PullSocket, endpoint: &str, limit: Duration, all: [PullSocket; 2]) -> Done {
    socket.bind(endpoint).await?;
    socket.connect(endpoint)?;
    socket.unbind(endpoint).await?;
    socket.disconnect(endpoint)?;
    socket.drain(limit);
    let [one, other] = all;
    socket.close().await;
    let socket = one;
    socket.close_within(limit).await;
    Ok(())
}

async fn sent(mut socket: DealerSocket, message: Message, text: &str, value: Vec<u8>, x: String) -> Done {
    let (a, b) = ("a", "b");
    socket.send("hello").await?;
    socket.send("...").await?;
    socket.send(text).await?;
    socket.send(["one", "two"]).await?;
    socket.send([a, b]).await?;
    socket.send(serde_json::to_vec(&value)?).await?;
    socket.try_send("hello");
    {
        let value = value.clone();
        socket.try_send(value);
    }
    matches!(socket.try_send(x), Err(SendError::Full(message)));
    socket.send(message).await?;
    socket.send(value).await?;
    let message = Message::from("again");
    socket.reserve().await?.send(message)?;
    Bytes::from_static(b"hello");
    Ok(())
}

async fn received(mut socket: PullSocket, limit: Duration) -> Done {
    let message = socket.recv().await?;
    socket.recv().await?.as_str()?;
    socket.recv().await?.payload();
    socket.try_recv();
    socket.try_recv()?;
    matches!(socket.try_recv(), Err(RecvError::Empty));
    Vec::<u8>::try_from(socket.recv().await?)?;
    String::try_from(socket.recv().await?)?;
    tokio::time::timeout(limit, socket.recv()).await;
    let peer = socket.last_peer().unwrap();
    peer.get("User-Id");
    peer.get("Peer-Address");
    socket.stream();
    let (mut buffer, limit) = (Vec::new(), 10);
    socket.recv_many(&mut buffer, limit).await?;
    Ok(())
}

async fn two(mut a: PullSocket, mut b: PullSocket) -> Done {
    tokio::select! {
        message = a.recv() => drop(message),
        message = b.recv() => drop(message),
    }
    Ok(())
}

async fn messages(mut message: Message, i: usize, size: usize, buffer: &[u8], bytes: Bytes, vec: Vec<u8>) -> Done {
    message.iter();
    message.clone();
    message.payload();
    message.get(i);
    message.get(0);
    message.get(1);
    message.frame(0);
    message.payload().len();
    message.byte_len();
    message.len();
    message.is_empty();
    message.as_str()?;
    message.push_back("frame");
    message.push_front("frame");
    let number: u32 = serde_json::from_slice(message.payload())?;
    {
        let message = message.clone();
        message.into_frames().collect::<Vec<_>>();
    }
    String::try_from(message.clone())?;
    {
        let message = message;
        String::try_from(message)?;
    }
    Message::from(vec![0; size]);
    Message::from(&buffer[..]);
    Message::from(&bytes[..]);
    Message::from(bytes);
    Message::from(vec);
    let a = "a";
    let b = "b";
    let mut message = Message::from(a); message.push_back(b);
    let [a, b]: [Frame; 2] = message.try_into()?;
    Ok(())
}

async fn peers(mut server: ServerSocket, mut socket: PeerSocket, endpoint: Endpoint, asked: Addressed) -> Done {
    let peer = socket.connect_peer(endpoint)?;
    socket.disconnect_peer(peer);
    server.send(asked.reply("answer")).await?;
    server.send_to(peer, "news").await?;
    Ok(())
}

async fn groups(mut radio: RadioSocket, mut dish: DishSocket, group: &str) -> Done {
    radio.send_to("group", "hello").await?;
    dish.join("group")?;
    dish.leave("group")?;
    dish.join(group)?;
    dish.leave(group)?;
    let grouped = dish.recv().await?;
    grouped.group();
    grouped.body();
    Ok(())
}

async fn subscriptions(mut socket: SubSocket, topic: &str) {
    socket.subscribe(topic);
    socket.subscribe("topic");
    socket.unsubscribe(topic);
    socket.unsubscribe("topic");
}

async fn watched(mut socket: PushSocket, event: MonitorEvent) {
    let mut monitor = socket.monitor(); monitor.recv().await;
    event.libzmq();
    socket.stats().endpoints;
    socket.stats().peers;
    socket.stats().dropped.full;
    socket.stats();
}

fn polled(mut poller: Poller, socket: purezmq::blocking::PullSocket, interest: Interest, limit: Duration) {
    Poller::new();
    poller.len();
    let key = poller.add(socket, Interest::READABLE);
    poller.modify(key, Interest::READABLE | Interest::WRITABLE);
    poller.modify(key, interest);
    for ready in poller.wait(Duration::from_secs(1)) {
        ready.is(key);
    }
    poller.wait(limit);
    poller.alarm();
    let socket = poller.remove(key);
}

fn pair() -> (RouterSocket, DealerSocket) {
    (RouterSocket::new(), DealerSocket::new())
}

async fn proxies(limit: Duration, socket: PushSocket, d: PullSocket, c: PushSocket) {
    let (frontend, backend) = pair();
    proxy(frontend, backend).await;
    let (a, b) = pair();
    proxy(a, b).await;
    let (a, b) = pair();
    tokio::spawn(proxy(a, b));
    let (a, b) = pair();
    Proxy::new(a, b).run_blocking();
    let (frontend, backend) = pair();
    Proxy::new(frontend, backend).run_blocking();
    let (frontend, backend) = pair();
    Proxy::new(frontend, backend).capture(socket).run().await;
    let (a, b) = pair();
    Proxy::new(a, b).capture(c).control(d).run().await;
    let (a, b) = pair();
    let socket = purezmq::PairSocket::new();
    let proxy = Proxy::new(a, b).control(socket);
    let handle = proxy.handle();
    handle.pause();
    handle.resume();
    handle.terminate();
    handle.drain(limit);
    handle.statistics();
}

async fn parts(socket: DealerSocket, other: DealerSocket, third: DealerSocket) {
    let (sender, receiver) = socket.split();
    let socket = other;
    socket.into_shared();
    let mut socket = third;
    socket.stream();
    socket.sink();
    DealerSocket::new().into_stream();
    DealerSocket::new().into_sink();
}

async fn keys(context: Context, path: &str, folder: &str, bytes: [u8; 32], text: &str, server: PublicKey) -> Done {
    let keys = KeyPair::generate();
    keys.public().to_string();
    keys.secret().to_z85();
    let secret: SecretKey = keys.secret().clone();
    secret.public_key();
    save_certificate(&Certificate::new(KeyPair::generate()), path)?;
    load_certificate(path)?;
    purezmq::security::z85::encode(&bytes);
    z85::decode(text);
    let (name, password) = ("name", "password");
    let server_key = server;
    PushSocket::builder().security(Security::curve_client(keys.clone(), server));
    PushSocket::builder().security(Security::plain_client(name, password)?);
    PushSocket::builder().security(Security::plain_client("name", "password")?);
    PushSocket::builder().security(Security::plain_server());
    {
        let keys = keys.clone();
        PushSocket::builder().security(Security::curve_client(keys, server));
    }
    {
        let keys = keys.clone();
        PushSocket::builder().security(Security::curve_client(keys, server_key));
    }
    PushSocket::builder().security(Security::curve_server(keys));
    context.set_authenticator(CurveKeys::directory(folder));
    context.set_authenticator(PlainUsers::from_iter([("joe", "secret")]));
    Addresses::new().allow("10.0.0.1".parse()?);
    Ok(())
}

async fn others(error: SendError, period: Duration, request: Routed, answer: Message, socket_type: SocketType) {
    error.to_string();
    let mut interval = tokio::time::interval(period);
    interval.tick().await;
    interval.reset();
    let started = Instant::now();
    started.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    tokio::signal::ctrl_c();
    request.respond(answer);
    request.body();
    let peer = socket_type;
    socket_type.name();
    socket_type.accepts(peer);
}
