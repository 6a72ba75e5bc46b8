//! Telemetry: keys are made, changed and taken back while collector and sensors run; a copy of an old key is worth nothing.

use std::fs;

use common::example::{Example, Folder};

const NAME: &str = "telemetry";

struct Plant {
    folder: Folder,
    path: String,
}

impl Plant {
    fn new() -> Plant {
        let folder = Folder::new();
        let path = folder.path("plant");
        Plant { folder, path }
    }

    /// Has the keys of a name made, retired or revoked.
    async fn has(&self, order: &str, name: &str) {
        let done = Example::app(NAME, &[order, &self.path, name]);
        done.rest().await;
    }

    async fn collector(&self) -> (Example, String) {
        let mut collector = Example::app(NAME, &["collector", "tcp://127.0.0.1:*", &self.path]);
        let endpoint = collector.says("listening on ").await;
        (collector, endpoint)
    }

    fn sensor(&self, endpoint: &str, name: &str) -> Example {
        Example::app(NAME, &["sensor", endpoint, &self.path, name])
    }
}

#[tokio::test]
async fn keys_are_changed_and_taken_back_while_all_runs() {
    let plant = Plant::new();
    plant.has("keys", "collector").await;
    plant.has("keys", "boiler").await;
    let (mut collector, endpoint) = plant.collector().await;
    let mut boiler = plant.sensor(&endpoint, "boiler");
    boiler.says("let in").await;
    collector.says("boiler: ").await;

    // A sensor that is new.
    plant.has("keys", "pump").await;
    let mut pump = plant.sensor(&endpoint, "pump");
    pump.says("let in").await;
    collector.says("pump: ").await;

    // Another key.
    let secret = |name: &str| plant.folder.path(&format!("plant/{name}.key_secret"));
    fs::copy(secret("boiler"), secret("thief")).unwrap();
    plant.has("keys", "boiler").await;
    boiler.says("goes on with another key").await;
    boiler.says("let in").await;
    plant.has("retire", "boiler").await;
    collector.says("a key of boiler is good no more").await;
    collector.says("boiler: ").await;
    let mut thief = plant.sensor(&endpoint, "thief");
    thief.says("kept out: ").await;
    collector.says("kept out: key ").await;
    collector.says("boiler: ").await;

    // No key any more.
    plant.has("revoke", "boiler").await;
    let ended = collector.says("a key of boiler is good no more: ").await;
    assert_eq!(ended, "1 connections ended");
    boiler.says("kept out: ").await;
    collector.says("pump: ").await;
    collector.says("pump: ").await;
}

#[tokio::test]
async fn a_key_of_another_plant_is_worth_nothing() {
    let (plant, other) = (Plant::new(), Plant::new());
    for plant in [&plant, &other] {
        plant.has("keys", "collector").await;
        plant.has("keys", "boiler").await;
    }
    let (mut collector, endpoint) = plant.collector().await;
    let mut stranger = other.sensor(&endpoint, "boiler");
    stranger.says("kept out: ").await;
    collector.says("kept out: somebody without a key").await;

    // It has heard of the collector's key, which is no secret. Its own is not known.
    let key = |plant: &Plant| plant.folder.path("plant/collector.key");
    fs::copy(key(&plant), key(&other)).unwrap();
    let mut stranger = other.sensor(&endpoint, "boiler");
    stranger.says("kept out: ").await;
    collector.says("kept out: key ").await;
}
