//! One RADIO and five DISHes in processes of their own, over multicast on the loopback interface: each hears its groups alone,
//! and what is lost is counted by whom it is lost at.
//!
//! `cargo test --release -p purezmq-tests --all-features --test api -- --ignored --nocapture multicast::a_hundred_thousand`
//! prints the figures of 100,000 datagrams.

use std::time::Duration;

use common::within;
use purezmq::{DishSocket, RadioSocket};

use crate::helper::Helper;

const DISHES: usize = 5;

/// The bytes of a body.
const SIZE: usize = 256;

/// What says that nothing more comes.
const END: &str = "end";

const ENDPOINT: &str = "PUREZMQ_MULTICAST";
const GROUPS: &str = "PUREZMQ_GROUPS";

/// The groups that a DISH joins: one of its own, and the last one all of them.
fn groups(dish: usize) -> Vec<String> {
    let all = (0..DISHES).map(|number| format!("group {number}"));
    all.enumerate()
        .filter(|(number, _)| *number == dish || dish == DISHES - 1)
        .map(|(_, name)| name)
        .collect()
}

/// A DISH in a process of its own.
struct Listener(Helper);

impl Listener {
    async fn start(endpoint: &str, dish: usize) -> Self {
        let groups = groups(dish).join(",");
        let variables = [(ENDPOINT, endpoint), (GROUPS, &groups)];
        let mut listener = Listener(Helper::start("multicast::a_dish", variables));
        listener.says("bound").await;
        listener
    }

    /// Waits for a line that begins so, and returns the rest.
    async fn says(&mut self, word: &str) -> String {
        let begin = format!("DISH {word}");
        // What tests print stands in front of the first line.
        let rest = |line: &str| {
            line.split_once(&begin)
                .map(|(_, rest)| rest.trim().to_owned())
        };
        self.0.says(rest).await
    }
}

#[test]
#[ignore = "it is a DISH of the tests here"]
fn a_dish() {
    let (Ok(endpoint), Ok(groups)) = (std::env::var(ENDPOINT), std::env::var(GROUPS)) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut dish = DishSocket::builder()
            .recv_buffer(4 << 20)
            .build()
            .expect("build");
        dish.join(END).expect("join");
        let own: Vec<&str> = groups.split(',').collect();
        for group in &own {
            dish.join(group).expect("join");
        }
        dish.bind(endpoint.as_str()).await.expect("bind");
        println!("DISH bound");
        let (mut heard, mut next) = (0, 0);
        let lost_ends = loop {
            let message = dish.recv().await.expect("recv");
            let group = std::str::from_utf8(message.group()).expect("text");
            let body = std::str::from_utf8(message.body()).expect("text");
            let number: usize = body.trim().parse().expect("a number");
            if group == END {
                break number;
            }
            assert!(own.contains(&group), "{group}");
            assert_eq!(message.body().len(), SIZE);
            assert!(number >= next, "{number} comes behind {next}");
            next = number + 1;
            heard += 1;
        };
        let dropped = dish.stats().dropped;
        let (discarded, overflowed) = (dropped.discarded, dropped.overflowed);
        println!("DISH heard {heard} {discarded} {overflowed} {lost_ends}");
    });
}

/// What a DISH says.
#[derive(Debug)]
struct Heard {
    /// Messages of its groups.
    heard: usize,
    /// Those of others.
    discarded: usize,
    /// Lost since its system had no room for them.
    overflowed: usize,
    /// How many of the ends were lost before the first that it has heard.
    lost_ends: usize,
}

/// Sends so many messages, in turn to each group. `None`: there is no multicast here.
async fn play(count: usize) -> Option<Vec<Heard>> {
    let mut first = DishSocket::new();
    let place = "udp://127.0.0.1;239.255.77.9:*";
    let endpoint = match first.bind(place).await {
        Ok(endpoint) => endpoint.to_string(),
        Err(error) => {
            eprintln!("\n*** SKIPPED: no multicast on the loopback interface: {error} ***\n");
            return None;
        }
    };
    let mut dishes = Vec::new();
    for dish in 0..DISHES {
        dishes.push(within("a DISH", Listener::start(&endpoint, dish)).await);
    }
    drop(first);
    let mut radio = RadioSocket::builder().no_drop(true).build().expect("build");
    radio.connect(endpoint.as_str()).expect("connect");
    let started = std::time::Instant::now();
    for number in 0..count {
        let (group, body) = (
            format!("group {}", number % DISHES),
            format!("{number:>SIZE$}"),
        );
        radio.send_to(group, body).await.expect("send");
    }
    let taken = started.elapsed();
    let ending = async {
        for number in 0.. {
            radio.send_to(END, number.to_string()).await.expect("send");
            // Said until all have heard it: a datagram may be lost.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let hearing = async {
        let mut all = Vec::new();
        for dish in &mut dishes {
            let said = within("what it has heard", dish.says("heard")).await;
            let mut numbers = said.split(' ').map(|word| word.parse().expect("a number"));
            let mut next = || numbers.next().expect("four of them");
            all.push(Heard {
                heard: next(),
                discarded: next(),
                overflowed: next(),
                lost_ends: next(),
            });
            let status = within("its end", dish.0.child.wait()).await;
            assert!(status.expect("a status").success());
        }
        all
    };
    let all = tokio::select! {
        all = hearing => all,
        () = ending => unreachable!("it goes on"),
    };
    let sent = radio.stats();
    assert_eq!(sent.dropped.total(), 0, "{sent:?}");
    println!("{count} datagrams of {SIZE} B and a group, sent in {taken:.1?}");
    println!("| DISH | groups | heard | of others | overflowed | lost elsewhere |");
    println!("|---|---|---|---|---|---|");
    for (dish, one) in all.iter().enumerate() {
        // The ends that were lost are among those that overflowed.
        let known = one.heard + one.discarded + one.overflowed;
        let elsewhere = (count + one.lost_ends).checked_sub(known);
        println!(
            "| {dish} | {} | {} | {} | {} | {} |",
            groups(dish).len(),
            one.heard,
            one.discarded,
            one.overflowed,
            elsewhere.expect("nothing comes twice")
        );
    }
    Some(all)
}

#[tokio::test]
async fn five_dishes_hear_their_groups_and_count_what_they_lose() {
    // R-RADIO-2, R-DISH-2
    const SENT: usize = 5_000;
    let Some(all) = play(SENT).await else {
        return;
    };
    for (dish, one) in all.iter().enumerate() {
        let own = SENT * groups(dish).len() / DISHES;
        assert!(one.heard > 0 && one.heard <= own, "{dish}: {one:?}");
        assert!(one.discarded <= SENT - own, "{dish}: {one:?}");
        if one.overflowed == 0 && one.heard + one.discarded == SENT {
            assert_eq!(one.heard, own, "{dish}: {one:?}");
        }
    }
}

#[tokio::test]
#[ignore = "it takes a while, and prints figures"]
async fn a_hundred_thousand() {
    play(100_000).await;
}
