//! The attacks, by name.

mod floods;
mod handshakes;
mod holding;
mod leaving;

use purezmq_endurance::Failure;

use crate::table::Table;

/// One of them.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// How many of what it is made of, unless told.
    pub(crate) count: usize,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&mut Table<'_>, usize) -> Result<(), Failure>,
}

macro_rules! scenarios {
    ($($name:literal $count:literal $about:literal $run:path;)+) => {
        pub(crate) const SCENARIOS: &[Scenario] = &[
            $(Scenario { name: $name, count: $count, about: $about, run: $run },)+
        ];
    };
}

scenarios! {
    "departed" 3_000 "peers that come and go, for every type in each role" leaving::departed;
    "left" 1_000 "the same, and each leaves ten messages behind" leaving::left;
    "flooded" 50 "peers that send 2 MiB to who does not receive, and stay, and go" leaving::flooded;
    "topics" 200_000 "subscriptions of one peer that leaves" leaving::topics;
    "subscribers" 100 "peers with 2,000 subscriptions each that stay, and go" leaving::subscribers;
    "garbage" 3_000 "connections that say something else" handshakes::garbage;
    "silent" 3_000 "connections that say nothing" handshakes::silent;
    "half" 1_000 "handshakes of 60 KB that stop before their end" handshakes::half;
    "properties" 500 "peers with 60 KB of properties" handshakes::properties;
    "slow" 200 "handshakes that come byte by byte, and their time limit" handshakes::slow;
    "announced" 500 "messages of 256 MiB that are only announced" holding::announced;
    "frames" 2_000_000 "frames of one message that never ends" holding::frames;
    "large" 64 "a message of so many MiB to who has no use for it" holding::large;
    "pings" 200_000 "PINGs of a peer that never reads" holding::pings;
    "deaf" 100 "subscribers that never read" holding::deaf;
    "discarded" 4 "peers that send what is thrown away" floods::discarded;
    "subscribing" 4 "peers that subscribe and take it back for ever" floods::subscribing;
    "tiny" 4 "peers that flood with tiny messages" floods::tiny;
    "storm" 4 "threads that connect, greet and go for ever" floods::storm;
}
