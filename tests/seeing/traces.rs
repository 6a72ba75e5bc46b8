//! Traces across sockets, with OpenTelemetry's own exporter in memory: who asks and who answers are in one trace, so are who
//! publishes and who receives, and peers that know nothing of it do not stumble.

use common::within;
use opentelemetry::Context as Trace;
use opentelemetry::trace::{Span, SpanId, TraceContextExt, TraceId, Tracer, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use purezmq::{
    DealerSocket, Message, PubSocket, RepSocket, Requester, RouterSocket, Socket, SubSocket,
    trace_context,
};

/// Traces, and what becomes of them.
fn tracing() -> (SdkTracerProvider, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    (provider, exporter)
}

fn find<'a>(spans: &'a [SpanData], name: &str) -> &'a SpanData {
    spans
        .iter()
        .find(|span| span.name == name)
        .unwrap_or_else(|| panic!("no {name} in {spans:?}"))
}

/// Checks that one span is the parent of the other.
fn check_parent(spans: &[SpanData], parent: &str, child: &str) {
    let (parent, child) = (find(spans, parent), find(spans, child));
    assert_eq!(
        child.span_context.trace_id(),
        parent.span_context.trace_id()
    );
    assert_eq!(child.parent_span_id, parent.span_context.span_id());
    assert!(child.parent_span_is_remote);
}

fn requester<P>(to: &Socket<P>) -> Requester
where
    P: purezmq::capability::Zmtp,
{
    let requester = Requester::builder()
        .trace_context(true)
        .build(DealerSocket::new())
        .unwrap();
    requester
        .connect(to.last_endpoint().expect("it is bound"))
        .unwrap();
    requester
}

#[tokio::test]
async fn a_rep_is_asked_within_a_trace() {
    let (provider, exporter) = tracing();
    let tracer = provider.tracer("test");
    let mut rep = RepSocket::new();
    rep.bind("tcp://127.0.0.1:*").await.unwrap();
    let requester = requester(&rep);

    let asking = Trace::new().with_span(tracer.start_with_context("asking", &Trace::new()));
    let request = {
        let _current = asking.clone().attach();
        requester.request(["what", "is it?"])
    };
    let request = tokio::spawn(request);
    let question = within("a question", rep.recv()).await.unwrap();
    assert_eq!(
        question,
        Message::from(["what", "is it?"]),
        "it is in the envelope"
    );
    let parent = rep.trace_context().expect("it says whose it is");
    let parent = Trace::new().with_remote_span_context(parent);
    tracer.start_with_context("answering", &parent).end();
    rep.send("this").await.unwrap();
    assert_eq!(within("an answer", request).await.unwrap().unwrap(), "this");
    asking.span().end();
    check_parent(
        &exporter.get_finished_spans().unwrap(),
        "asking",
        "answering",
    );

    // Without a current span there is nothing to say.
    let request = tokio::spawn(requester.request("again"));
    within("a question", rep.recv()).await.unwrap();
    assert_eq!(rep.trace_context(), None);
    rep.send("that").await.unwrap();
    assert_eq!(within("an answer", request).await.unwrap().unwrap(), "that");
    assert_eq!(requester.statistics().answered, 2);
}

#[tokio::test]
async fn a_router_is_asked_within_a_trace_also_when_it_has_no_room() {
    let (provider, exporter) = tracing();
    let tracer = provider.tracer("test");
    let mut router = RouterSocket::new();
    router.bind("tcp://127.0.0.1:*").await.unwrap();
    // Two places: the others wait, and are sent by the requester's task.
    let builder = Requester::builder().trace_context(true).max_under_way(2);
    let requester = builder
        .build(DealerSocket::builder().send_hwm(1).build().unwrap())
        .unwrap();
    requester.connect(router.last_endpoint().unwrap()).unwrap();
    let mut asked = Vec::new();
    for number in 0..20 {
        let span = tracer.start_with_context(format!("asking {number}"), &Trace::new());
        let context = Trace::new().with_span(span);
        let _current = context.clone().attach();
        let request = requester.request(number.to_string());
        asked.push((context, tokio::spawn(request)));
    }
    for _ in 0..20 {
        let request = within("a request", router.recv_message()).await.unwrap();
        let number = String::from_utf8_lossy(request.body().next().unwrap()).into_owned();
        assert_eq!(request.body().count(), 1);
        let parent = request.trace_context().expect("it says whose it is");
        let parent = Trace::new().with_remote_span_context(parent);
        tracer
            .start_with_context(format!("answering {number}"), &parent)
            .end();
        router.send(request.respond(number)).await.unwrap();
    }
    for (number, (context, request)) in asked.into_iter().enumerate() {
        let answer = within("an answer", request).await.unwrap().unwrap();
        assert_eq!(answer, number.to_string());
        context.span().end();
        let spans = exporter.get_finished_spans().unwrap();
        check_parent(
            &spans,
            &format!("asking {number}"),
            &format!("answering {number}"),
        );
    }
}

#[tokio::test]
async fn a_rep_of_libzmq_answers_what_is_traced() {
    let (provider, _) = tracing();
    let context = zmq::Context::new();
    let rep = context.socket(zmq::REP).unwrap();
    rep.bind("tcp://127.0.0.1:*").unwrap();
    let endpoint = rep.get_last_endpoint().unwrap().unwrap();
    let answering = std::thread::spawn(move || {
        for _ in 0..3 {
            let question = rep.recv_multipart(0).unwrap();
            assert_eq!(question, [b"question"]);
            rep.send("answer", 0).unwrap();
        }
    });
    let requester = Requester::builder()
        .trace_context(true)
        .build(DealerSocket::new())
        .unwrap();
    requester.connect(endpoint.as_str()).unwrap();
    let span = provider
        .tracer("test")
        .start_with_context("asking", &Trace::new());
    let current = Trace::new().with_span(span);
    for _ in 0..3 {
        let request = {
            let _current = current.clone().attach();
            requester.request("question")
        };
        assert_eq!(within("an answer", request).await.unwrap(), "answer");
    }
    answering.join().unwrap();
}

#[tokio::test]
async fn what_is_published_belongs_to_a_trace() {
    let (provider, exporter) = tracing();
    let tracer = provider.tracer("test");
    let mut publisher = PubSocket::new();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut sub = SubSocket::new();
    sub.subscribe("news.");
    sub.connect(&endpoint).unwrap();
    within("a subscriber", publisher.wait_for_subscribers(1)).await;
    let publishing = Trace::new().with_span(tracer.start_with_context("publishing", &Trace::new()));
    for topic in ["gossip", "news.today"] {
        let mut message = Message::from([topic, "text"]);
        trace_context::attach(&mut message, &publishing);
        publisher.send(message).await.unwrap();
    }
    publishing.span().end();
    publisher.send(["news.today", "without"]).await.unwrap();

    let mut message = within("news", sub.recv()).await.unwrap();
    let parent = trace_context::detach(&mut message).expect("it says whose it is");
    assert_eq!(message, Message::from(["news.today", "text"]));
    let parent = Trace::new().with_remote_span_context(parent);
    tracer.start_with_context("reading", &parent).end();
    check_parent(
        &exporter.get_finished_spans().unwrap(),
        "publishing",
        "reading",
    );
    let mut message = within("news", sub.recv()).await.unwrap();
    assert_eq!(trace_context::detach(&mut message), None);
    assert_eq!(message, Message::from(["news.today", "without"]));
}

#[tokio::test]
async fn an_envelope_with_something_else_is_of_no_trace() {
    let mut rep = RepSocket::new();
    let endpoint = rep.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut dealer = DealerSocket::new();
    dealer.connect(&endpoint).unwrap();
    assert_eq!(rep.trace_context(), None);
    for envelope in [
        vec![],
        vec!["a"],
        vec!["traceparent: 00-0-0-00"],
        vec!["x", "traceparent: "],
    ] {
        let mut message: Message = envelope.into_iter().collect();
        message.push_back("");
        message.push_back("question");
        dealer.send(message).await.unwrap();
        within("a question", rep.recv()).await.unwrap();
        assert_eq!(rep.trace_context(), None);
        rep.send("answer").await.unwrap();
        within("an answer", dealer.recv()).await.unwrap();
    }
    let routed = purezmq::Routed::from((
        "peer",
        ["traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
    ));
    assert_eq!(routed.trace_context(), None, "that is its body");
    let routed = purezmq::Routed::from((
        "peer",
        [
            "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "",
            "body",
        ],
    ));
    let span = routed.trace_context().expect("one");
    assert_eq!(
        span.trace_id(),
        TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap()
    );
    assert_eq!(
        span.span_id(),
        SpanId::from_hex("00f067aa0ba902b7").unwrap()
    );
}
