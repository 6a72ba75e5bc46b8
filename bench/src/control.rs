//! The driver's side channel. With `--hold`, a line `GO` on standard input says that all subscribers are
//! there, and its end says that the other side has all it wants: nobody leaves before, so that no
//! implementation's linger rules play a part in a measurement.

use std::io::BufRead;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::process;

/// How long a publisher without a driver waits for its subscribers.
const BY_HAND: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Waiting,
    Go,
    Ended,
}

/// What the driver has said so far.
#[derive(Clone)]
pub(crate) struct Control {
    /// `None`: no driver.
    stage: Option<watch::Receiver<Stage>>,
    started: Instant,
}

impl Control {
    /// Starts to listen, on a thread of its own: reading standard input cannot wait on a runtime.
    pub(crate) fn listen(hold: bool) -> Self {
        Control {
            stage: hold.then(listener),
            started: Instant::now(),
        }
    }

    pub(crate) fn has_driver(&self) -> bool {
        self.stage.is_some()
    }

    /// Whether measuring may begin.
    pub(crate) fn may_go(&self) -> bool {
        match &self.stage {
            Some(stage) => *stage.borrow() >= Stage::Go,
            None => self.started.elapsed() >= BY_HAND,
        }
    }

    /// Waits until the driver has closed standard input. Without a driver there is nothing to wait for.
    pub(crate) async fn ended(&mut self) {
        if let Some(stage) = &mut self.stage {
            // An error means that the listener is gone, which is the same.
            let _ = stage.wait_for(|stage| *stage == Stage::Ended).await;
        }
    }
}

fn listener() -> watch::Receiver<Stage> {
    let (tell, stage) = watch::channel(Stage::Waiting);
    process::set_aside();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            match line {
                Ok(line) if line.trim() == "GO" => {
                    tell.send_replace(Stage::Go);
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        tell.send_replace(Stage::Ended);
        // Threads are counted at about this moment: one that comes to its end would be counted or not.
        loop {
            std::thread::park();
        }
    });
    stage
}
