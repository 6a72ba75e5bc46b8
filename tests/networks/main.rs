//! Real networks: three hosts whose links are cut, slowed down and healed, with libzmq among them.
//!
//! Needs root and iproute2, and Linux; skipped with loud words elsewhere. The long partitions are an ignored test,
//! which `scripts/networks` runs.

#![cfg(target_os = "linux")]

mod flows;
mod hosts;
mod silence;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::events::event;
use common::within;
use flows::{Flow, Plan, RESUMED, Who};
use hosts::{Network, address};
use purezmq::{DealerSocket, MonitorEvent, MonitorEventKind, RepSocket};
use tokio::time::{sleep, timeout};

/// Between a cut and the time from which nothing may arrive any more: what was under way.
const UNDER_WAY: Duration = Duration::from_millis(300);

/// What a loaded machine may add to a time that is measured.
const SLACK: Duration = Duration::from_millis(400);
const US: usize = 0;
const LIBZMQ: usize = 1;
const OTHERS: usize = 2;

/// All flows at once, from the host where ours begin to one with libzmq and one with ours; the link of either side is
/// cut for `length`, `rounds` times. Traffic has to resume in time, each time.
async fn partitions(network: &Network, rounds: usize, length: Duration) {
    let mut flows = Vec::new();
    for (number, plan) in Plan::all().into_iter().enumerate() {
        let place = |who, other| match who {
            Who::Libzmq => LIBZMQ,
            Who::Ours => {
                if other == Who::Ours {
                    OTHERS
                } else {
                    US
                }
            }
        };
        let (active, passive) = (
            place(plan.active, Who::Libzmq),
            place(plan.passive, plan.active),
        );
        let bound = if plan.active_binds { active } else { passive };
        let endpoint = format!("tcp://{}:{}", address(bound), 5_000 + number);
        flows.push(Flow::start(
            plan,
            network.host(active),
            network.host(passive),
            &endpoint,
        ));
    }
    let start = Instant::now();
    for flow in &flows {
        within(&flow.plan.name(), flow.arrivals.after(start)).await;
    }
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let cut: &[usize] = if round % 2 == 0 {
            &[US]
        } else {
            &[LIBZMQ, OTHERS]
        };
        let began = Instant::now();
        cut.iter().for_each(|host| network.cut(*host));
        let silent = Instant::now() + UNDER_WAY;
        sleep(length.saturating_sub(began.elapsed())).await;
        for flow in &flows {
            assert!(
                flow.arrivals.last() < silent,
                "{}: arrives over a link that is cut",
                flow.plan.name()
            );
        }
        let healed = Instant::now();
        cut.iter().for_each(|host| network.heal(*host));
        let mut took = Vec::new();
        for flow in &flows {
            let resumed = timeout(2 * RESUMED + SLACK, flow.arrivals.after(healed)).await;
            took.push((resumed.ok(), flow.plan.name()));
        }
        let late: Vec<_> = took
            .iter()
            .filter(|(took, _)| took.is_none_or(|took| took > RESUMED))
            .collect();
        assert!(
            late.is_empty(),
            "round {round}: not resumed within {RESUMED:?}: {late:#?}"
        );
        let (last, name) = took.iter().max().expect("there are flows");
        let last = last.expect("all have resumed");
        slowest = slowest.max(last);
        println!(
            "round {:>2} of {rounds}: {length:?} cut, {} flows resumed after {last:?} at most ({name})",
            round + 1,
            flows.len()
        );
    }
    println!(
        "{} flows, {rounds} partitions of {length:?}: all resumed within {slowest:?}; allowed are {RESUMED:?}",
        flows.len()
    );
}

#[tokio::test]
async fn traffic_of_every_pattern_resumes_in_time_after_a_partition() {
    let Some(network) = Network::new(3) else {
        return;
    };
    partitions(&network, 2, Duration::from_secs(4)).await;
}

#[tokio::test]
#[ignore = "takes more than ten minutes: scripts/networks"]
async fn traffic_of_every_pattern_resumes_in_time_after_each_of_many_long_partitions() {
    let number =
        |name, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let Some(network) = Network::new(3) else {
        return;
    };
    let length = Duration::from_secs(number("PARTITION_SECONDS", 30));
    partitions(&network, number("PARTITIONS", 20) as usize, length).await;
}

/// Whether, and why, a connection has ended.
fn is_end(kind: &MonitorEventKind) -> bool {
    matches!(kind, MonitorEventKind::Disconnected(_))
}

/// Waits for the end of a connection on another host's runtime.
async fn ended(mut monitor: purezmq::Monitor) -> (Instant, MonitorEvent) {
    let ended = event(&mut monitor, "the connection ends", is_end).await;
    (Instant::now(), ended)
}

fn assert_between(what: &str, took: Duration, least: Duration, most: Duration) {
    assert!(
        (least..=most).contains(&took),
        "{what} after {took:?}, not {least:?} to {most:?}"
    );
    println!("{what} after {took:?}");
}

#[tokio::test]
async fn a_slow_link_is_not_taken_for_a_dead_one() {
    let Some(network) = Network::new(3) else {
        return;
    };
    let how = [US, OTHERS].map(|host| network.host(host).delay(Duration::from_millis(150)))[0];
    println!("delayed by {how}");
    let server = network.host(OTHERS).spawn(async {
        let mut rep = RepSocket::new();
        rep.bind("tcp://*:5555").await.unwrap();
        loop {
            let request = rep.recv().await.unwrap();
            rep.send(request).await.unwrap();
        }
    });
    let endpoint = format!("tcp://{}:5555", address(OTHERS));
    let client = network.host(US).spawn(async move {
        let mut dealer = DealerSocket::builder()
            .heartbeat_interval(Duration::from_millis(300))
            .heartbeat_timeout(Duration::from_millis(600))
            .build()
            .unwrap();
        let mut monitor = dealer.monitor();
        dealer.connect(endpoint.as_str()).unwrap();
        // More than the link carries at once, for several heartbeats.
        for _ in 0..60 {
            dealer.send([&b""[..], &[0; 1200]]).await.unwrap();
        }
        for _ in 0..60 {
            dealer.recv().await.unwrap();
        }
        let mut events = Vec::new();
        while let Ok(Some(event)) = timeout(Duration::ZERO, monitor.recv()).await {
            events.push(event.kind);
        }
        events
    });
    let since = Instant::now();
    let events = within("all answers", client).await.unwrap();
    assert!(
        since.elapsed() > Duration::from_millis(300),
        "the link is slow: {:?}",
        since.elapsed()
    );
    assert!(!events.iter().any(is_end), "{events:?}");
    server.abort();
}

#[tokio::test]
async fn a_host_that_changes_its_address_behind_a_name_is_found_again() {
    let Some(network) = Network::new(3) else {
        return;
    };
    let host = network.host(OTHERS);
    let server = host.spawn(async {
        let mut rep = RepSocket::builder()
            .heartbeat_interval(Duration::from_millis(300))
            .build()
            .unwrap();
        rep.bind("tcp://*:5555").await.unwrap();
        loop {
            let request = rep.recv().await.unwrap();
            rep.send(request).await.unwrap();
        }
    });
    let program = std::env::current_exe().expect("a path");
    let old = format!("{} mover\n", address(OTHERS));
    let mut asker = network
        .host(US)
        .command(&program, &old)
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "the_program_that_asks_by_name",
        ])
        .env("PUREZMQ_ASKS", "tcp://mover:5555")
        .stdout(Stdio::piped())
        .spawn()
        .expect("start");
    let mut lines = BufReader::new(asker.stdout.take().expect("piped")).lines();
    let mut until = move |word: &'static str| {
        let found = lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line.contains(word));
        assert!(found, "it ended before it said {word}");
    };
    let mut until_answered = within(
        "an answer from the old address",
        tokio::task::spawn_blocking(move || {
            until("answered at first");
            until
        }),
    )
    .await
    .unwrap();
    host.ip(&format!("addr del {}/24 dev eth0", address(OTHERS)));
    host.ip("addr add 10.77.0.99/24 dev eth0");
    network.host(US).set_names("10.77.0.99 mover\n");
    let answered = tokio::task::spawn_blocking(move || {
        until_answered("10.77.0.99");
        until_answered("test result: ok");
    });
    within("an answer from the new address", answered)
        .await
        .unwrap();
    let status = tokio::task::spawn_blocking(move || asker.wait())
        .await
        .unwrap();
    assert!(status.unwrap().success());
    server.abort();
}

/// Runs in a process of its own on a host, since names belong to processes: asks, says from where it is answered,
/// and ends well when that is another address than before.
#[tokio::test]
#[ignore = "started by the test above it"]
async fn the_program_that_asks_by_name() {
    let Ok(endpoint) = std::env::var("PUREZMQ_ASKS") else {
        return;
    };
    let mut dealer = DealerSocket::builder()
        .heartbeat_interval(Duration::from_millis(300))
        .connect_timeout(Duration::from_millis(250))
        .build()
        .unwrap();
    dealer.connect(endpoint.as_str()).unwrap();
    let mut first = None;
    loop {
        dealer.send(["", "where are you?"]).await.unwrap();
        let answer = timeout(Duration::from_millis(100), dealer.recv()).await;
        let stats = dealer.stats();
        let (Ok(Ok(_)), Some(address)) = (answer, &stats.peers[0].address) else {
            continue;
        };
        let address = address.to_string();
        match &first {
            None => println!("answered at first from {address}"),
            Some(first) if *first != address => {
                println!("answered at {address}");
                return;
            }
            Some(_) => {}
        }
        first.get_or_insert(address);
    }
}
