"""Builds PureZMQ's C library with a sanitizer of Rust's own: what `--instrumented` means for suite_stress.py and
suite_fuzzers.py. Where there is a nightly compiler with the sources of its standard library (`rustup component add rust-src
--toolchain nightly`), that library is built with the sanitizer as well, and nothing is hidden. Otherwise it takes the
compiler that is here, whose standard library comes compiled, and without.
"""

import glob
import os
import shutil
import subprocess

from common import ROOT, Trouble, cache, call, say

RUNTIMES = {"thread": "tsan", "address": "asan"}


def whole():
    """Returns whether the standard library can be built, too."""
    if not shutil.which("rustup"):
        return False
    told = subprocess.run(["rustc", "+nightly", "--print", "sysroot"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return told.returncode == 0 and os.path.exists(
        os.path.join(told.stdout.strip(), "lib/rustlib/src/rust/library/std/Cargo.toml"))


def library(which):
    """Returns the static library, with drafts, and the sanitizer's runtime."""
    if which not in RUNTIMES:
        raise Trouble(f"--instrumented wants --sanitize {' or '.join(RUNTIMES)}")
    with_std = whole()
    toolchain = ["+nightly"] if with_std else []
    told = call(["rustc", *toolchain, "-vV"])
    host = next(line.split()[1] for line in told.splitlines() if line.startswith("host:"))
    libraries = os.path.join(call(["rustc", *toolchain, "--print", "sysroot"]).strip(), "lib/rustlib", host, "lib")
    runtimes = glob.glob(os.path.join(libraries, f"librustc-*_rt.{RUNTIMES[which]}.a"))
    if not runtimes:
        raise Trouble(f"this Rust has no {which} sanitizer in {libraries}")
    target = cache("stress", f"{which}-std-target" if with_std else f"{which}-target")
    say(f"building the library with the {which} sanitizer, " + ("and Rust's own with it" if with_std else "but not Rust's own"))
    call(["cargo", *toolchain, "build", "--locked", "--quiet", "--package", "purezmq-capi", "--lib", "--features",
          "draft" if with_std else "draft,tokio/parking_lot", *(["-Zbuild-std"] if with_std else []), "--target", host], cwd=ROOT,
         env={**os.environ, "RUSTC_BOOTSTRAP": "1", "CARGO_TARGET_DIR": target, "CARGO_INCREMENTAL": "0",
              "CARGO_PROFILE_DEV_OPT_LEVEL": "1", "CARGO_PROFILE_DEV_DEBUG": "1",
              # Memory that is used again is never freed, as the address sanitizer sees it.
              "RUSTFLAGS": f"-Zsanitizer={which} -Cunsafe-allow-abi-mismatch=sanitizer"
                           + " --cfg purezmq_no_reuse" * (which == "address")})
    return os.path.join(target, host, "debug", "libzmq.a"), runtimes[0]


def linked(library, runtime):
    """Returns what links a program to both."""
    return [library, "-Wl,--whole-archive", runtime, "-Wl,--no-whole-archive", "-lpthread", "-ldl", "-lm", "-lrt", "-lresolv",
            "-rdynamic"]
