//! A yardstick that is not ZeroMQ: core NATS through its own client, with a `nats-server` in between, which the driver
//! starts: messages go through one more process, and a receiver that is too slow loses some.
//!
//! PUSH and PULL are a subject with one subscriber, REQ and REP the client's requests, PUB and SUB a subject with many
//! subscribers, each with a connection of its own. Mode `ct`: a current-thread runtime; default: tokio's multi-thread one.

use async_nats::{Client, ConnectOptions, Subscriber};
use bytes::Bytes;
use common::*;
use futures_util::StreamExt;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const NAME: &str = "nats";
const VERSION: &str = env!("RIVAL_VERSION");
const SUBJECT: &str = "bench";

async fn client(a: &Args) -> Client {
    attaching();
    // What comes faster than it is received would be dropped from 65,536 messages on.
    let options = ConnectOptions::new().subscription_capacity(10_000_000);
    options.connect(a.endpoint().replace("tcp://", "nats://")).await.unwrap()
}

async fn subscribe(client: &Client) -> Subscriber {
    let subscriber = client.subscribe(SUBJECT).await.unwrap();
    // Once the server has answered it knows of the subscription.
    client.flush().await.unwrap();
    subscriber
}

fn main() {
    let a = Args::parse(NAME, VERSION);
    let ctl = Ctl::start(&a);
    let rt = if a.mode == "ct" {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    } else {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
    };
    rt.block_on(run(&a, &ctl));
    std::process::exit(0);
}

async fn run(a: &Args, ctl: &Ctl) {
    let client = client(a).await;
    match a.role.as_str() {
        "push" | "pub" => {
            if a.role == "pub" {
                ready();
                while !ctl.go() {
                    client.publish(SUBJECT, Bytes::from_static(&[0; PROBE])).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            let mut source = Source::new(a);
            let u0 = Usage::now();
            for _ in 0..a.total() {
                client.publish(SUBJECT, source.waited().await).await.unwrap();
            }
            client.flush().await.unwrap();
            hold_async!(ctl, tokio::time::sleep);
            sender_report(a, NAME, VERSION, u0);
        }
        "pull" => {
            let mut subscriber = subscribe(&client).await;
            ready();
            let mut meter = Meter::new(a);
            while !meter.msg(&subscriber.next().await.unwrap().payload) {}
            meter.report(a, NAME, VERSION);
        }
        "sub" => subscribers(a).await,
        "lat-rep" | "rep" => {
            let mut subscriber = subscribe(&client).await;
            ready();
            for _ in 0..a.total() {
                let request = subscriber.next().await.unwrap();
                client.publish(request.reply.unwrap(), request.payload).await.unwrap();
            }
            client.flush().await.unwrap();
            hold_async!(ctl, tokio::time::sleep);
        }
        "lat-req" | "req" => {
            let mut source = Source::new(a);
            let mut lat = Lat::new(a);
            loop {
                let request = source.next();
                lat.begin();
                let reply = client.request(SUBJECT, request).await.unwrap();
                if lat.end(&reply.payload) {
                    break;
                }
            }
            lat.report(a, NAME, VERSION);
        }
        r => die(&format!("{r}: not in the NATS peer")),
    }
}

async fn subscribers(a: &Args) {
    let meter = Rc::new(RefCell::new(SubMeter::new(a)));
    let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel::<()>();
    let local = tokio::task::LocalSet::new();
    for i in 0..a.peers {
        let client = client(a).await;
        let mut subscriber = subscribe(&client).await;
        let (meter, tx) = (meter.clone(), tx.clone());
        local.spawn_local(async move {
            while let Some(message) = subscriber.next().await {
                if meter.borrow_mut().msg(i, &message.payload) {
                    let _ = tx.send(());
                }
            }
            drop(client);
        });
    }
    let until_done = async {
        let mut before = 0;
        loop {
            let done = tokio::time::timeout(Duration::from_secs(3), rx.recv()).await.is_ok();
            let now = meter.borrow().progress();
            if done || (now > 0 && now == before) {
                return;
            }
            before = now;
        }
    };
    local.run_until(until_done).await;
    meter.borrow_mut().report(a, NAME, VERSION);
}
