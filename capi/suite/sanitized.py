"""Builds PureZMQ's C library with a sanitizer of Rust's own: what `--instrumented` means for suite_stress.py and
suite_fuzzers.py. It takes the compiler that is here; its standard library comes compiled, and without.
"""

import glob
import os

from common import ROOT, Trouble, cache, call, say

RUNTIMES = {"thread": "tsan", "address": "asan"}


def library(which):
    """Returns the static library, with drafts, and the sanitizer's runtime."""
    if which not in RUNTIMES:
        raise Trouble(f"--instrumented wants --sanitize {' or '.join(RUNTIMES)}")
    host = next(line.split()[1] for line in call(["rustc", "-vV"]).splitlines() if line.startswith("host:"))
    libraries = os.path.join(call(["rustc", "--print", "sysroot"]).strip(), "lib/rustlib", host, "lib")
    runtimes = glob.glob(os.path.join(libraries, f"librustc-*_rt.{RUNTIMES[which]}.a"))
    if not runtimes:
        raise Trouble(f"this Rust has no {which} sanitizer in {libraries}")
    target = cache("stress", f"{which}-target")
    say(f"building the library with the {which} sanitizer")
    call(["cargo", "build", "--locked", "--quiet", "--package", "purezmq-capi", "--lib", "--features",
          "draft,tokio/parking_lot", "--target", host], cwd=ROOT,
         env={**os.environ, "RUSTC_BOOTSTRAP": "1", "CARGO_TARGET_DIR": target, "CARGO_INCREMENTAL": "0",
              "CARGO_PROFILE_DEV_OPT_LEVEL": "1", "CARGO_PROFILE_DEV_DEBUG": "1",
              "RUSTFLAGS": f"-Zsanitizer={which} -Cunsafe-allow-abi-mismatch=sanitizer"})
    return os.path.join(target, host, "debug", "libzmq.a"), runtimes[0]


def linked(library, runtime):
    """Returns what links a program to both."""
    return [library, "-Wl,--whole-archive", runtime, "-Wl,--no-whole-archive", "-lpthread", "-ldl", "-lm", "-lrt", "-lresolv",
            "-rdynamic"]
