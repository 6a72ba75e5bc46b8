"""`scripts/suites cppzmq` and `cppzmq-draft`: the tests of cppzmq, the C++ headers over zmq.h, with the library under them
replaced. They are compiled once, against the real library; `-draft` turns on what cppzmq has for drafts, its pollers too.

The source is Debian's package; what runs the tests, Catch2, is Debian's, unpacked, not installed.
"""

import glob
import os
import tempfile
import xml.etree.ElementTree as xml

import compare
from build import Build
from common import Library, Trouble, cache, call, downloaded, outcome, run, say, source_of, together

LIMIT = 60
# The release of Debian whose mirror has the source: others have dropped it.
SUITE = "trixie"


def built(build):
    """Builds the tests into one program. Returns it, and the names of its files."""
    source = source_of("cppzmq", SUITE)
    include = os.path.join(downloaded("catch2"), "usr/include")
    files = sorted(glob.glob(f"{source}/tests/*.cpp"))
    program = cache("cppzmq", build.kind, "unit_tests", folder=False)
    if not os.path.exists(program):
        say(f"building cppzmq's tests ({build.kind})")
        work = cache("cppzmq", build.kind, "objects")
        flags = ["-w", "-O0", "-std=c++17", f"-I{source}", f"-I{include}", f"-I{build.source}/include"]
        if build.kind == "draft":
            flags.append("-DZMQ_BUILD_DRAFT_API=1")
        objects = {f: os.path.join(work, os.path.basename(f) + ".o") for f in files}
        for _ in together({f: (lambda f=f: os.path.exists(objects[f]) or call(["g++", *flags, "-c", f, "-o", objects[f]]))
                           for f in objects}, build.jobs):
            pass
        call(["g++", *objects.values(), os.path.join(build.library(), "libzmq.so.5"), "-lpthread", "-o", program + ".part"])
        os.rename(program + ".part", program)
    return program, [os.path.basename(f)[:-4] for f in files]


def one(program, name, library, limit):
    with tempfile.TemporaryDirectory(prefix="cpp") as d:
        report = os.path.join(d, "report.xml")
        code, out, seconds = run([program, "-#", f"[#{name}]", "-r", "junit", "-o", report], limit, library.env(), d)
        cases = {}
        if os.path.exists(report) and os.path.getsize(report):
            try:
                for case in xml.parse(report).getroot().iter("testcase"):
                    failed = any(kind.tag in ("failure", "error") for kind in case)
                    cases[case.get("name")] = "fail" if failed else "pass"
            except xml.ParseError:
                # It has ended while it wrote.
                pass
    # Catch2: 2 is `no test was run`, of a file that has none in this build.
    how = "skipped" if code == 2 and not cases else outcome(code)
    return {"outcome": how, "cases": cases, "seconds": seconds, "tail": out[-3000:]}


def main(options):
    build = Build(options.kind, options.jobs)
    program, names = built(build)
    if options.names:
        names = [name for name in names if any(n in name for n in options.names)]

    def all_of(path, label):
        with Library(path, label) as library:
            parts = {}
            for name in names:
                job = lambda name=name: one(program, name, library, options.limit or LIMIT)  # noqa: E731
                parts[name] = compare.again(job(), job, options.runs)
            if not any(part["cases"] for part in parts.values()):
                raise Trouble("cppzmq's tests say nothing: " + next(iter(parts.values()))["tail"])
            return compare.result(label, library.version(), parts)

    return compare.beside(options, f"cppzmq-{options.kind}.json", lambda: all_of(build.library(), "libzmq 4.3.5"),
                          lambda: all_of(options.library, compare.label(options)))
