//! RADIO and DISH over UDP to many: multicast, interfaces, broadcast.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use common::within;
use purezmq::error::BindError;
use purezmq::{DishSocket, RadioSocket};
use tokio::net::UdpSocket;

use super::udp::{dish, linked, recv};

/// A multicast group on the loopback interface. Tests differ by their ports.
const GROUP: &str = "udp://127.0.0.1;239.255.77.1:*";

/// Whether multicast works on this machine's loopback interface; says so, if not.
async fn has_multicast() -> bool {
    let heard = async {
        let receiver = UdpSocket::bind("239.255.77.1:0").await?;
        receiver.join_multicast_v4([239, 255, 77, 1].into(), [127, 0, 0, 1].into())?;
        let sender = UdpSocket::bind("127.0.0.1:0").await?;
        sender.send_to(b"?", receiver.local_addr()?).await?;
        let mut buffer = [0; 1];
        let heard = receiver.recv(&mut buffer);
        let heard = tokio::time::timeout(Duration::from_secs(2), heard).await;
        heard.map_err(std::io::Error::from)?
    };
    match heard.await {
        Ok(_) => true,
        Err(error) => {
            eprintln!("\n*** SKIPPED: no multicast on the loopback interface: {error} ***\n");
            false
        }
    }
}

#[tokio::test]
async fn every_member_of_a_group_hears_it() {
    // R-RADIO-2
    if !has_multicast().await {
        return;
    }
    let mut first = dish(&["a"]);
    let endpoint = first.bind(GROUP).await.expect("bind");
    let mut dishes = vec![first];
    for groups in [&["a", "b"][..], &["b"], &[]] {
        let mut one = dish(groups);
        one.bind(&endpoint).await.expect("bind");
        dishes.push(one);
    }
    let mut radio = RadioSocket::new();
    radio.connect(&endpoint).expect("connect");
    for (group, body) in [("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")] {
        radio.send_to(group, body).await.expect("send");
    }
    let wanted: [&[(&str, &str)]; 4] = [
        &[("a", "1"), ("a", "4")],
        &[("a", "1"), ("b", "2"), ("a", "4")],
        &[("b", "2")],
        &[],
    ];
    for (dish, wanted) in dishes.iter_mut().zip(wanted) {
        for one in wanted {
            assert_eq!(recv(dish).await, *one);
        }
    }
    // What is for the machine alone, and not for the group, is not for its members.
    let port = endpoint.port().expect("a port");
    let alone = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let _ = alone.send_to(b"\x01aalone", ("127.0.0.1", port)).await;
    radio.send_to("a", "last").await.expect("send");
    assert_eq!(recv(&mut dishes[0]).await, ("a", "last"));
    // Who leaves hears no more, and the others do.
    let first = dishes.remove(0);
    drop(first);
    radio.send_to("b", "5").await.expect("send");
    for dish in &mut dishes[..2] {
        while recv(dish).await != ("b", "5") {}
    }
}

#[tokio::test]
async fn a_group_is_heard_on_this_machine_unless_multicast_loop_is_off() {
    // By an interface that leads elsewhere: what goes out by the loopback interface comes back in any case.
    let mut dish = dish(&["a"]);
    let mut radio = RadioSocket::new();
    let heard = async {
        let endpoint = dish.bind("udp://239.255.77.4:*").await.ok()?;
        radio.connect(&endpoint).expect("connect");
        radio.send_to("a", "first").await.expect("send");
        let first = tokio::time::timeout(Duration::from_secs(2), dish.recv()).await;
        first.ok().map(|_| endpoint)
    };
    let Some(endpoint) = heard.await else {
        return eprintln!("\n*** SKIPPED: no interface here has multicast ***\n");
    };
    let mut silent = RadioSocket::builder()
        .multicast_loop(false)
        .multicast_hops(3)
        .build()
        .expect("build");
    silent.connect(&endpoint).expect("connect");
    silent.send_to("a", "not here").await.expect("send");
    within("it", async {
        while silent.stats().sent.messages < 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    radio.send_to("a", "here").await.expect("send");
    assert_eq!(recv(&mut dish).await, ("a", "here"));
}

#[tokio::test]
async fn interfaces_are_named_or_have_an_address() {
    let mut dish = DishSocket::new();
    let error = dish.bind("udp://no-such-card;239.255.77.2:*").await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no-such-card"), "{error}");
    if !has_multicast().await {
        return;
    }
    for place in ["udp://lo;239.255.77.2:*", "udp://127.0.0.1;239.255.77.2:*"] {
        if place.contains("lo;") && !cfg!(target_os = "linux") {
            continue;
        }
        let (mut radio, mut dish, endpoint) = linked(place, &["a"]).await;
        assert!(endpoint.udp().is_some_and(|udp| udp.is_multicast()));
        assert!(endpoint.udp().is_some_and(|udp| udp.interface().is_some()));
        radio.send_to("a", "b").await.expect("send");
        assert_eq!(recv(&mut dish).await, ("a", "b"));
    }
    // Of IPv6, where the loopback interface has it.
    if has_multicast_v6().await {
        let (mut radio, mut dish, _) = linked("udp://[::1];[ff02::4:d]:*", &["a"]).await;
        radio.send_to("a", "by IPv6").await.expect("send");
        assert_eq!(recv(&mut dish).await, ("a", "by IPv6"));
    }
}

/// Whether multicast over IPv6 works on this machine's loopback interface, whose number is 1; says so, if not.
async fn has_multicast_v6() -> bool {
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 4, 0xc);
    let heard = async {
        let receiver = UdpSocket::bind(SocketAddrV6::new(group, 0, 0, 1)).await?;
        receiver.join_multicast_v6(&group, 1)?;
        let sender = UdpSocket::bind("[::1]:0").await?;
        sender.send_to(b"?", receiver.local_addr()?).await?;
        let mut buffer = [0; 1];
        let heard = receiver.recv(&mut buffer);
        let heard = tokio::time::timeout(Duration::from_secs(2), heard).await;
        heard.map_err(std::io::Error::from)?
    };
    let heard: std::io::Result<usize> = heard.await;
    if let Err(error) = &heard {
        eprintln!("\n*** SKIPPED: no multicast of IPv6 on the loopback interface: {error} ***\n");
    }
    heard.is_ok()
}

#[tokio::test]
async fn a_group_of_one_link_needs_no_interface_to_be_named() {
    let mut dish = super::udp::dish(&["a"]);
    let endpoint = match dish.bind("udp://[ff02::4:e]:*").await {
        Ok(endpoint) => endpoint,
        // Where nothing of IPv6 is, nobody can be a member.
        Err(error @ BindError::Io { .. }) => {
            return eprintln!("\n*** SKIPPED: no multicast over IPv6: {error} ***\n");
        }
        Err(error) => panic!("{error}"),
    };
    assert_eq!(
        endpoint.to_string(),
        format!("udp://[ff02::4:e]:{}", endpoint.port().expect("a port"))
    );
    let mut radio = RadioSocket::new();
    radio.connect(&endpoint).expect("connect");
    radio.send_to("a", "first").await.expect("send");
    let first = tokio::time::timeout(Duration::from_secs(2), dish.recv()).await;
    if first.is_err() {
        eprintln!("\n*** SKIPPED: multicast over IPv6 does not come back here ***\n");
    }
    // The wildcard is bound, and still it's a member of that group alone.
    let port = endpoint.port().expect("a port");
    let mut other = RadioSocket::builder().ipv6(false).build().expect("build");
    other
        .connect(format!("udp://127.0.0.1:{port}"))
        .expect("connect");
    other.send_to("a", "by IPv4").await.expect("send");
    within("it", async {
        while other.stats().sent.messages < 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    if first.is_ok() {
        radio.send_to("a", "second").await.expect("send");
        assert_eq!(recv(&mut dish).await, ("a", "second"));
    }
}

#[tokio::test]
async fn a_broadcast_address_can_be_sent_to() {
    // The loopback network's own broadcast address reaches a socket that is bound to all addresses.
    let mut dish = DishSocket::builder().ipv6(false).build().expect("build");
    dish.join("a").expect("join");
    let endpoint = dish.bind("udp://*:*").await.expect("bind");
    let port = endpoint.port().expect("a port");
    let mut radio = RadioSocket::new();
    radio
        .connect(format!("udp://127.255.255.255:{port}"))
        .expect("connect");
    radio.send_to("a", "to all").await.expect("send");
    assert_eq!(recv(&mut dish).await, ("a", "to all"));
    // The wildcard of both kinds hears IPv4, too.
    let mut both = super::udp::dish(&["a"]);
    let endpoint = both.bind("udp://*:*").await.expect("bind");
    let port = endpoint.port().expect("a port");
    radio
        .connect(format!("udp://127.0.0.1:{port}"))
        .expect("connect");
    radio.send_to("a", "to one").await.expect("send");
    assert_eq!(recv(&mut both).await, ("a", "to one"));
}
