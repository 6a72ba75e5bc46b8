"""`scripts/suites stress`: stress.c, our own, on a library for --seconds, with or without a sanitizer.

    scripts/suites stress --library DIR --seconds 600 --sanitize thread

The sanitizer is in the program; it sees the library's memory and locks as far as they go through libc. A library that is
built with the same sanitizer is seen whole.
"""

import os

from build import Build
from common import HERE, Library, cache, call, outcome, run, say


def main(options):
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
