"""`scripts/suites fuzzers`: libzmq's fuzz targets, each for --seconds, with inputs that fuzz_driver.cpp draws.

libzmq's corpora are in no package, and libFuzzer wants clang: the targets are compiled without their `main`, beside a
driver of our own. With --instrumented, they are linked to PureZMQ's own library, built with the same sanitizer
(sanitized.py). What ends badly is kept in the cache folder and run on the real library, too: what breaks both (a target
that gives its peer too little time on a busy machine) is not counted.
"""

import ctypes
import glob
import os
import shutil

import sanitized
from build import Build
from common import HERE, Library, cache, call, outcome, run, say, table, together


def built(build, sanitize, whole=False):
    """Returns {target: program}. `whole`: with our library in them, which has the same sanitizer."""
    folder = cache("fuzzers", build.kind + ("-" + sanitize if sanitize else "") + ("-instrumented" if whole else ""))
    sanitizer = [f"-fsanitize={sanitize}"] if sanitize else []
    flags = ["-O1", "-g", *build.flags, *sanitizer]
    source = os.path.join(HERE, "fuzz_driver.cpp")
    helpers = build.helpers()
    if whole:
        newest, runtime = sanitized.library(sanitize)
        # Compiled with the sanitizer, and linked to Rust's.
        link = sanitized.linked(newest, runtime)
    else:
        newest = os.path.join(build.library(), "libzmq.so.5")
        link = [newest, "-lpthread", *sanitizer]
    targets = sorted(glob.glob(f"{build.source}/tests/test_*_fuzzer.cpp"))

    def one(file):
        name = os.path.basename(file)[5:-len("_fuzzer.cpp")]
        out = os.path.join(folder, name)
        if not os.path.exists(out) or os.path.getmtime(out) < max(map(os.path.getmtime, (source, newest))):
            call(["g++", *flags, "-Dmain=left_out", "-c", file, "-o", out + ".o"])
            call(["g++", *flags, "-c", source, "-o", out + ".driver.o"])
            call(["g++", out + ".driver.o", out + ".o", *helpers, *link, "-o", out])
        return name, out

    return dict(made for _, made in together({f: (lambda f=f: one(f)) for f in targets}, build.jobs))


def main(options):
    build = Build("draft", options.jobs)
    programs = built(build, options.sanitize, options.instrumented)
    if options.instrumented:
        # What fails is run on the real library, too.
        plain = built(build, options.sanitize)
    elif options.library:
        # Two targets speak WebSocket: only a library that has it can be asked.
        with Library(options.library, "") as library:
            if not ctypes.CDLL(library.file).zmq_has(b"WS"):
                programs = {n: p for n, p in programs.items() if "_ws" not in n}
    if options.names:
        programs = {n: p for n, p in programs.items() if any(x in n for x in options.names)}
    kept = cache("fuzzers", "found")
    # Leaks are not looked for: the targets themselves leave memory behind.
    more = {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "halt_on_error=1"}
    rows, bad = [], 0
    with Library(options.library or build.library(), "here") as library, \
            Library(build.library(), "libzmq") as real:
        def one(name):
            inputs = cache("fuzzers", "running", name)
            got = run([programs[name], name, str(options.seconds), str(options.seed), inputs], options.seconds + 90,
                      {**library.env(), **more}, library.folder)
            return got, os.path.join(inputs, name + ".input")

        # They wait more than they compute: many at once.
        for name, ((code, out, seconds), last) in together(
                {n: (lambda n=n: one(n)) for n in programs}, max(6, options.jobs)):
            verdict = outcome(code)
            if code != 0:
                found = os.path.join(kept, f"{name}-{options.seed}")
                shutil.copy(last, found)
                other = plain[name] if options.instrumented else programs[name]
                again = [run([program, name, found], 60, {**lib.env(), **more}, lib.folder)[0] != 0
                         for program, lib in ((programs[name], library), (other, real))]
                verdict += f"; again: {'fails' if again[0] else 'passes'}, libzmq: {'fails' if again[1] else 'passes'}"
                verdict += f"; {found}"
                if not (again[1] or (not again[0] and verdict.startswith("failed"))):
                    bad += 1
                say(f"---- {name}\n{out[-1500:]}")
            rows.append([name, verdict, out.strip().splitlines()[-1] if code == 0 and out.strip() else "",
                         f"{seconds:.0f}"])
    table(sorted(rows), ["target", "", "", "s"])
    return int(bad > 0)
