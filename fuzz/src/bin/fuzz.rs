//! libFuzzer over the target that the environment variable `FUZZ_TARGET` names. Started by `scripts/fuzz`.

#![no_main]

use std::sync::OnceLock;

use purezmq_fuzz::{Target, run, target};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names the target");
        target(&name).expect("scripts/fuzz --list has the targets")
    });
    run(target, data);
});
