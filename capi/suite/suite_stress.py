"""`scripts/suites stress`: stress.c, our own, on a library for --seconds, with or without a sanitizer.

    scripts/suites stress --library DIR --seconds 600 --sanitize thread

The sanitizer is in the program; it sees the library's memory and locks as far as they go through libc. With
--instrumented, PureZMQ's own is built with the same sanitizer, by the compiler that is here, and linked to the program: then
it is seen whole, but for what comes compiled with the compiler, its standard library. SUPPRESSED is what that hides.
"""

import os

import sanitized
from build import Build
from common import HERE, ROOT, Library, cache, call, outcome, run, say

# Where Rust's standard library is built with the sanitizer: nothing. It orders the last owner of an Arc by a load then.
SUPPRESSED_AT_ALL = ()
# Elsewhere, frames in which the sanitizer is mistaken: the last owner of an Arc is ordered by a fence, which it does not know,
# and what std's own locks order, it does not see. tokio is built with others for that.
SUPPRESSED = (
    "drop_slow",
    "alloc::sync::Weak",
    # The drop of a Weak, inlined.
    "context::members::Members>::close",
    "std::sync::lazy_lock",
    "std::sync::once_lock",
    # Under a lock of std's.
    "cancellation_token::tree_node",
)


def instrumented(which, include):
    """Builds the program with the library that has Rust's own sanitizer. Returns it."""
    library, runtime = sanitized.library(which)
    program = cache("stress", f"{which}-instrumented", folder=False)
    call(["gcc", "-std=gnu11", "-O1", "-g", f"-fsanitize={which}", f"-I{include}", "-c", os.path.join(HERE, "stress.c"), "-o",
          program + ".o"])
    call(["g++", program + ".o", *sanitized.linked(library, runtime), "-o", program])
    with open(program + ".suppressed", "w") as f:
        f.writelines(f"race:{frame}\n" for frame in (SUPPRESSED_AT_ALL if sanitized.whole() else SUPPRESSED))
    return program


def whole(options, include):
    program = instrumented(options.sanitize, include)
    env = {"TSAN_OPTIONS": f"suppressions={program}.suppressed history_size=4 exitcode=66", "ASAN_OPTIONS": "detect_leaks=0"}
    code, out, seconds = run([program, str(options.seconds), str(options.seed)], options.seconds + 120, env,
                             os.path.dirname(program))
    say(f"instrumented: {outcome(code)} after {seconds:.0f} s")
    say(out[-6000:].strip())
    return int(code != 0)


def main(options):
    if options.instrumented:
        return whole(options, os.path.join(ROOT, "capi", "include"))
    build = Build("release", options.jobs)
    real = build.library()
    which = options.sanitize or "plain"
    program = cache("stress", which, folder=False)
    source = os.path.join(HERE, "stress.c")
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
        sanitizer = [f"-fsanitize={options.sanitize}"] if options.sanitize else []
        call(["gcc", "-std=gnu11", "-O1", "-g", "-Wall", *sanitizer, f"-I{build.source}/include", source,
              os.path.join(real, "libzmq.so.5"), "-lpthread", "-o", program])
    worst = 0
    for path, name in [(real, "libzmq 4.3.5")] * (not options.library or options.both) + \
            [(options.library, "here")] * bool(options.library):
        with Library(path, name) as library:
            # Terminating may take its time; what hangs for a minute more hangs.
            code, out, seconds = run([program, str(options.seconds), str(options.seed)], options.seconds + 60,
                                     library.env(), library.folder)
        say(f"{name}: {outcome(code)} after {seconds:.0f} s")
        say(out[-6000:].strip())
        if name == "here" or not options.library:
            worst = max(worst, code != 0)
    return int(worst)
