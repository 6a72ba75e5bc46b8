//! What sockets can do, as traits of their patterns: which calls and which options a socket has follows from them.
//!
//! For code that works with sockets of several types: `fn publish<P: Sends<Sent = Message>>(socket: &mut Socket<P>)`.
//! Which type has which, its row says (`rules.rs`).

use crate::core::Pattern;

/// Any socket.
pub trait Any: Pattern {}

impl<P: Pattern> Any for P {}

macro_rules! capabilities {
    ($($(#[$doc:meta])+ $name:ident;)+) => {
        $($(#[$doc])+ pub trait $name: Pattern {})+
    };
}

capabilities! {
    /// A socket whose connections speak ZMTP, with its handshake, frames, commands and heartbeats: all but STREAM and DGRAM.
    ///
    /// ```compile_fail,E0599
    /// // Plain TCP programs answer no PINGs.
    /// let stream = purezmq::StreamSocket::builder().max_frames(10).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket does not speak ZMTP")]
    Zmtp;
    /// A socket that sends messages, and so has a high-water mark and a timeout for it.
    ///
    /// ```compile_fail,E0599
    /// // A PULL socket only receives.
    /// let pull = purezmq::PullSocket::builder().send_hwm(10).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket does not send")]
    Sends;
    /// A socket that receives messages, and so has a high-water mark and a timeout for it, and a
    /// limit to their size.
    ///
    /// ```compile_fail,E0599
    /// // A PUSH socket only sends.
    /// let push = purezmq::PushSocket::builder().recv_hwm(10).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket does not receive")]
    Receives;
    /// A socket whose calls come in any order: all but REQ and REP. It can be a stream, a sink, and shared by tasks.
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket asks or answers in turn")]
    Streams;
    /// A socket that sends and receives independently, and can be divided into halves.
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket cannot be divided")]
    Duplex;
    /// A socket that waits until any peer has room, and can reserve that room.
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket does not wait for room")]
    Reserves;
    /// A socket that subscribes by method: SUB, XSUB, and XPUB for its peers.
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket does not subscribe")]
    Subscribes;
    /// A socket that knows topics: PUB, SUB, XPUB and XSUB.
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket knows no topics")]
    TracksTopics;
    /// A socket that tells its peers who it is: REQ, REP, DEALER and ROUTER.
    ///
    /// ```compile_fail,E0599
    /// // Subscribers are nobody in particular.
    /// let sub = purezmq::SubSocket::builder().routing_id("me").build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket has no routing id of its own")]
    Identifies;
    /// A socket whose requests wait for replies: REQ.
    ///
    /// ```compile_fail,E0599
    /// // A REP socket asks nobody.
    /// let rep = purezmq::RepSocket::builder().relaxed(true).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket asks nothing")]
    Requests;
    /// A socket that can make itself known to a ROUTER: REQ, DEALER and ROUTER.
    ///
    /// ```compile_fail,E0599
    /// // A REP socket waits to be asked.
    /// let rep = purezmq::RepSocket::builder().probe_router(true).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket makes itself known to no ROUTER")]
    Probes;
    /// A socket whose messages go to the peer that asked: REP, ROUTER, SERVER and PEER.
    ///
    /// ```compile_fail,E0599
    /// // A DEALER sends to the next peer, whoever it is.
    /// let dealer = purezmq::DealerSocket::builder().same_connection(true).build();
    /// ```
    Answers;
    /// A socket that sends to peers by their routing ids: ROUTER.
    ///
    /// ```compile_fail,E0599
    /// // A DEALER sends to the next peer, whoever it is.
    /// let dealer = purezmq::DealerSocket::builder().mandatory(true).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket does not send by routing id")]
    Routes;
    /// A socket that sends each message to all who subscribed to it, or joined its group: PUB, XPUB and RADIO.
    ///
    /// ```compile_fail,E0599
    /// // A PUSH socket never drops anything.
    /// let push = purezmq::PushSocket::builder().no_drop(true).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket does not publish")]
    Publishes;
    /// A socket that compares messages with subscriptions: PUB, XPUB and SUB.
    ///
    /// ```compile_fail,E0599
    /// // An XSUB socket passes on all that comes.
    /// let xsub = purezmq::XSubSocket::builder().invert_matching(true).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket compares nothing with subscriptions")]
    Matches;
    /// A socket that gives its peers' subscriptions to the application: XPUB.
    ///
    /// ```compile_fail,E0599
    /// // A PUB socket keeps them to itself.
    /// let publisher = purezmq::PubSocket::builder().verbose(true).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket gives no subscriptions to the application")]
    HearsSubscriptions;
    /// A socket whose messages may be subscriptions: XPUB and XSUB.
    ///
    /// ```compile_fail,E0599
    /// // A SUB socket subscribes by a method.
    /// let sub = purezmq::SubSocket::builder().only_first_subscribe(true).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket has no subscriptions among its messages")]
    PassesSubscriptions;
    /// A socket that subscribes by what it sends: XSUB.
    ///
    /// ```compile_fail,E0599
    /// // An XPUB hears subscriptions.
    /// let xpub = purezmq::XPubSocket::builder().verbose_unsubscribe(true).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket does not subscribe by what it sends")]
    SubscribesByMessage;
    /// A socket that can keep the newest message alone: PUSH, PULL, PUB, SUB and DEALER.
    ///
    /// ```compile_fail,E0599
    /// // A reply must not take the place of another one.
    /// let router = purezmq::RouterSocket::builder().conflate(true).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket cannot keep the newest message alone")]
    Conflates;
    /// A socket that can keep the newest message of each topic alone: PUB, XPUB, SUB and XSUB.
    ///
    /// ```compile_fail,E0599
    /// // The first frame of work to be done is no topic.
    /// let push = purezmq::PushSocket::builder().conflate_topics(true).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket cannot keep the newest message of each topic alone")]
    ConflatesTopics;
    /// A socket that can begin each connection with a message: DEALER, ROUTER, CLIENT, SERVER and PEER.
    ///
    /// ```compile_fail,E0599
    /// // A REQ socket begins with a request.
    /// let req = purezmq::ReqSocket::builder().hello_message("hello").build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket begins no connection with a message")]
    Greets;
    /// A socket that can be given a message when a peer that had connected to it goes: ROUTER, SERVER and PEER.
    ///
    /// ```compile_fail,E0599
    /// // A PULL socket does not know its peers.
    /// let pull = purezmq::PullSocket::builder().disconnect_message("gone").build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket is given no message when a peer goes")]
    NotesDepartures;
    /// A socket that can be given a message when a connection that it has made is lost: DEALER, CLIENT and PEER.
    ///
    /// ```compile_fail,E0599
    /// // A SUB socket receives what it has subscribed to, and nothing else.
    /// let sub = purezmq::SubSocket::builder().hiccup_message("lost").build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket is given no message when a connection is lost")]
    NotesHiccups;
    /// A socket whose connections speak no protocol: STREAM.
    ///
    /// ```compile_fail,E0599
    /// // A ROUTER's peers are sockets.
    /// let router = purezmq::RouterSocket::builder().stream_notify(false).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket speaks ZMTP")]
    Raw;
    /// A socket that sends or receives datagrams: RADIO, DISH and DGRAM.
    ///
    /// ```compile_fail,E0599
    /// // A PUB socket has subscribers that it is connected to.
    /// let publisher = purezmq::PubSocket::builder().multicast_hops(2).build();
    /// ```
    #[diagnostic::on_unimplemented(message = "a `{Self}` socket has no datagrams")]
    Datagrams;
}
