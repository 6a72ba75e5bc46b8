//! The options that say what publishers do with subscriptions, and with subscribers that are slow.

macro_rules! publishing_options {
    ([$($more:ident)*] $($before:tt)*) => {
        gather_options! { [$($more)*] $($before)*
            /// Lets `send` wait until a subscriber has room for the message, instead of passing that
            /// subscriber by: one slow subscriber holds up all then.
            no_drop(on: bool = on) -> bool {
                default: false,
                zmq: ("XPUB_NODROP", 69, Flag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Publishes,
                changed: AtOnce,
            }

            /// Sets what happens to a subscriber whose pipe is full, unless the socket does `no_drop`: it
            /// misses the newest message, as with libzmq, or the oldest that is not on its way yet, or is
            /// disconnected and may come back. All that it misses is counted as `full`.
            slow_subscriber(choice: SlowSubscriber = choice) -> SlowSubscriber {
                default: SlowSubscriber::DropNewest,
                zmq: (),
                unit: "`SlowSubscriber`",
                allowed: "`DropNewest`, `DropOldest`, `Disconnect`" if |_| true,
                on: Publishes,
                changed: AtOnce,
            }

            /// Sends messages to those who did not subscribe to them. Publisher and SUB have to agree.
            invert_matching(on: bool = on) -> bool {
                default: false,
                zmq: ("INVERT_MATCHING", 74, LaxFlag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: Matches,
                changed: AtOnce,
            }

            /// Gives `recv` every subscription that comes, not only the first to a topic.
            verbose(on: bool = on) -> bool {
                default: false,
                zmq: ("XPUB_VERBOSE", 40, Flag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: HearsSubscriptions,
                changed: AtOnce,
            }

            /// Gives `recv` every subscription and every unsubscription that comes, not only the first and
            /// the last of a topic.
            verboser(on: bool = on) -> bool {
                default: false,
                zmq: ("XPUB_VERBOSER", 78, Flag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: HearsSubscriptions,
                changed: AtOnce,
            }

            /// Leaves subscriptions to the application: they are only told to it, and it calls `subscribe`
            /// and `unsubscribe` for the peer that it has heard of last.
            manual(on: bool = on) -> bool {
                default: false,
                zmq: ("XPUB_MANUAL", 71, Flag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: HearsSubscriptions,
                changed: AtOnce,
            }

            /// Does what `manual` does, and sends the first message after a subscription was received to that
            /// subscriber alone: a newcomer gets the last value, and the others not once more.
            manual_last_value(on: bool = on) -> bool {
                default: false,
                zmq: ("XPUB_MANUAL_LAST_VALUE", 98, Flag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: HearsSubscriptions,
                changed: AtOnce,
            }

            /// Begins each new connection with this message of one frame, whatever the peer subscribes to. A
            /// SUB filters it like any other.
            welcome(message: impl AsRef<[u8]> = Some(Bytes::copy_from_slice(message.as_ref()))) -> Option<Bytes> {
                default: None,
                none: "none",
                zmq: ("XPUB_WELCOME_MSG", 72, BytesOrEmpty),
                unit: "bytes",
                allowed: "any bytes" if |_| true,
                on: HearsSubscriptions,
                changed: NewPeers,
            }

            /// Takes at most the first frame of a message for a subscription; what follows is the user's. Without it, all
            /// frames at the front of a message that begin with 00 or 01 are subscriptions.
            only_first_subscribe(on: bool = on) -> bool {
                default: false,
                zmq: ("ONLY_FIRST_SUBSCRIBE", 108, Flag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: PassesSubscriptions,
                changed: AtOnce,
            }

            /// Tells publishers of every unsubscription, also of topics that are still subscribed or never were, as proxies
            /// need it whose XPUB is `verboser`. Without it, only the last one of a topic goes out.
            verbose_unsubscribe(on: bool = on) -> bool {
                default: false,
                zmq: ("XSUB_VERBOSE_UNSUBSCRIBE", 115, LaxFlag),
                unit: "bool",
                allowed: "true or false" if |_| true,
                on: SubscribesByMessage,
                changed: AtOnce,
            }

            /// Limits how many topics one peer may subscribe to; `None` is no limit. A peer that subscribes
            /// to more is disconnected.
            max_subscriptions(topics: impl Into<Option<usize>> = topics.into()) -> Option<usize> {
                default: Some(1_000_000),
                none: "no limit",
                zmq: (),
                unit: "topics",
                allowed: "None, or any number" if |_| true,
                on: Publishes,
                changed: AtOnce,
            }

            /// Limits how long the topics of one peer may be, all together; `None` is no limit. A peer that
            /// subscribes to more is disconnected.
            max_subscription_bytes(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
                default: Some(64 * 1024 * 1024),
                none: "no limit",
                zmq: (),
                unit: "bytes",
                allowed: "None, or any number" if |_| true,
                on: Publishes,
                changed: AtOnce,
            }

            /// Limits how many subscriptions all peers have together: a topic counts once for each peer that
            /// has it; `None` is no limit. When there would be more, the peer that has most is disconnected.
            max_all_subscriptions(topics: impl Into<Option<usize>> = topics.into()) -> Option<usize> {
                default: Some(4_000_000),
                none: "no limit",
                zmq: (),
                unit: "topics",
                allowed: "None, or any number" if |_| true,
                on: Publishes,
                changed: AtOnce,
            }

            /// Limits how long the topics of all peers may be, all together, each topic counted once for each
            /// peer that has it; `None` is no limit. When there would be more, the peer that has most is
            /// disconnected.
            max_all_subscription_bytes(bytes: impl Into<Option<usize>> = bytes.into()) -> Option<usize> {
                default: Some(256 * 1024 * 1024),
                none: "no limit",
                zmq: (),
                unit: "bytes",
                allowed: "None, or any number" if |_| true,
                on: Publishes,
                changed: AtOnce,
            }
        }
    };
}
