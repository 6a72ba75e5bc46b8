//! Tells the version, and writes the service's client and server, which `src/main.rs` includes. They are described here
//! instead of in a `.proto` file, so nobody needs `protoc`.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    common::emit_locked_version("tonic");
    let method = |name: &str, route: &str, from: &str, to: &str| {
        let codec = "tonic_prost::ProstCodec";
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type(from)
            .output_type(to)
            .codec_path(codec)
    };
    let service = Service::builder()
        .name("Bench")
        .package("bench")
        .method(
            method("push", "Push", "crate::Note", "crate::Nothing")
                .client_streaming()
                .build(),
        )
        .method(
            method("subscribe", "Subscribe", "crate::Nothing", "crate::Note")
                .server_streaming()
                .build(),
        )
        .method(method("echo", "Echo", "crate::Note", "crate::Note").build())
        .build();
    Builder::new().compile(&[service]);
}
