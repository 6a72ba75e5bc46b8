//! What goes wrong on the network, and the end of that.

use std::time::Duration;

use rand::Rng;
use rand::seq::IteratorRandom;
use tokio::time::Instant;

use super::{Event, Network, State, Weather};

impl Network {
    /// Resets some connection: each side hears of it in its own time, and what is on its way is lost.
    pub(crate) fn reset_some(&self) {
        let mut state = self.state.lock();
        let Some(connection) = state.some_connection() else {
            return;
        };
        for side in 0..2 {
            let at = Instant::now() + state.delay();
            state.schedule(at, Event::Cut { connection, side });
        }
    }

    /// Whoever calls its lives so resets what it has: the other side hears of it in its own time.
    pub(crate) fn reset_of(&self, life: u32) {
        let mut state = self.state.lock();
        let mut cuts = Vec::new();
        for (&connection, one) in &mut state.connections {
            for side in 0..2 {
                if one.lives[side] == life && !one.sides[side].gone {
                    one.sides[side].cut = true;
                    let side = 1 - side;
                    cuts.push(Event::Cut { connection, side });
                }
            }
        }
        for cut in cuts {
            let at = Instant::now() + state.delay();
            state.schedule(at, cut);
        }
    }

    /// Closes some connection in one direction, in the middle of whatever is on its way, as a proxy does.
    pub(crate) fn close_some(&self) {
        let mut state = self.state.lock();
        let Some(number) = state.some_connection() else {
            return;
        };
        let way = state.rng.random_range(0..2);
        let at = Instant::now() + state.delay();
        let State {
            connections, rng, ..
        } = &mut *state;
        let Some(connection) = connections.get_mut(&number) else {
            return;
        };
        let one = &mut connection.ways[way];
        let kept = rng.random_range(0..=one.pieces.len());
        let lost: usize = one.pieces.drain(kept..).map(|(_, piece)| piece.len()).sum();
        one.bytes -= lost;
        one.last = one.last.max(at);
        let at = one.last;
        one.closes = Some(at);
        let connection = number;
        state.schedule(at, Event::Arrive { connection, way });
        self.world
            .note("close one", [number, way as u64, lost as u64], || {
                format!("way {way} of connection {number}, {lost} bytes are lost")
            });
    }

    /// One side of some connection loses it, and the other hears nothing, ever.
    pub(crate) fn desert_some(&self) {
        let mut state = self.state.lock();
        let Some(connection) = state.some_connection() else {
            return;
        };
        let side = state.rng.random_range(0..2);
        let at = Instant::now() + state.delay();
        state.schedule(at, Event::Cut { connection, side });
        if let Some(one) = state.connections.get_mut(&connection) {
            one.sides[1 - side].deserted = true;
        }
        self.world.note("desert", [connection, side as u64, 0], || {
            format!(
                "side {} of connection {connection} hears nothing more",
                1 - side
            )
        });
    }

    /// Nothing moves for a while in one direction of some connection.
    pub(crate) fn stall_some(&self, time: Duration) {
        let mut state = self.state.lock();
        let Some(connection) = state.some_connection() else {
            return;
        };
        let way = state.rng.random_range(0..2);
        if let Some(one) = state.connections.get_mut(&connection) {
            one.ways[way].stalled = true;
        }
        let at = Instant::now() + time;
        state.schedule(at, Event::Unstall { connection, way });
        self.world.note("stall", [connection, way as u64, 0], || {
            format!("way {way} of connection {connection} for {time:?}")
        });
    }

    /// Nothing goes from one host to another, until `unblock`.
    pub(crate) fn block(&self, from: u8, to: u8) {
        self.state.lock().blocked.insert((from, to));
        self.world.note("block", [from.into(), to.into(), 0], || {
            format!("host {from} to host {to}")
        });
    }

    pub(crate) fn unblock(&self, from: u8, to: u8) {
        let mut state = self.state.lock();
        if state.blocked.remove(&(from, to)) {
            state.resume();
            self.world.note("unblock", [from.into(), to.into(), 0], || {
                format!("host {from} to host {to}")
            });
        }
    }

    /// The host's next calls of accept fail.
    pub(crate) fn fail_accepts(&self, host: u8, calls: u32) {
        let mut state = self.state.lock();
        if let Some(queue) = state.ports.get_mut(&super::host::address(host)) {
            queue.failing = calls;
            if let Some(acceptor) = queue.acceptor.take() {
                acceptor.wake();
            }
        }
    }

    /// The host loses power: its peers hear nothing of it.
    pub(crate) fn crash(&self, host: u8) {
        let mut state = self.state.lock();
        state.down.insert(host);
        let mut cuts = Vec::new();
        for (&connection, one) in &mut state.connections {
            for side in 0..2 {
                if one.hosts[side] == host && !one.sides[1 - side].gone {
                    one.sides[1 - side].deserted = true;
                    cuts.push(Event::Cut { connection, side });
                }
            }
        }
        for cut in cuts {
            state.schedule(Instant::now(), cut);
        }
        self.world
            .note("crash", [host.into(), 0, 0], || format!("host {host}"));
    }

    /// The host is there again, after a crash.
    pub(crate) fn restart(&self, host: u8) {
        let mut state = self.state.lock();
        if state.down.remove(&host) {
            state.resume();
        }
        self.world
            .note("restart", [host.into(), 0, 0], || format!("host {host}"));
    }

    /// All is well from now on. What has been deserted is found out by the system's keep-alive, unless the host
    /// that does not know yet has heartbeats for that.
    pub(crate) fn heal(&self, weather: Weather, has_heartbeats: impl Fn(u8) -> bool) {
        let mut state = self.state.lock();
        state.weather = weather;
        state.blocked.clear();
        state.ports.values_mut().for_each(|queue| queue.failing = 0);
        let mut cuts = Vec::new();
        for (&connection, one) in &state.connections {
            for side in 0..2 {
                let is_ready = one.ways[0].read.is_ready && one.ways[1].read.is_ready;
                let finds_out = is_ready && has_heartbeats(one.hosts[side]);
                if one.sides[side].deserted && !finds_out {
                    cuts.push(Event::Cut { connection, side });
                }
            }
        }
        for cut in cuts {
            let at = Instant::now() + Duration::from_millis(state.rng.random_range(0..1000));
            state.schedule(at, cut);
        }
        state.resume();
        self.world.note("heal", [0; 3], || "all is well".to_owned());
    }
}

impl State {
    fn some_connection(&mut self) -> Option<u64> {
        self.connections.keys().copied().choose(&mut self.rng)
    }
}
