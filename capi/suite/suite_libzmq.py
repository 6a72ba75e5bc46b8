"""`scripts/suites libzmq` and `libzmq-draft`: libzmq's own test programs, unchanged, with a library put under them.

Each program runs in a folder of its own with a time limit; what Unity prints for each RUN_TEST is counted.
"""

import re
import tempfile

import compare
from build import Build
from common import Library, outcome, read_data, run, say, together

CASE = re.compile(r"^\S*:\d+:(\w+):(PASS|FAIL|IGNORE)", re.M)
# Seconds for a program; all but the slowest (heartbeats, 37 s) are far from it, and end themselves after 60.
LIMIT = 100


def verdicts(out):
    return {name: verdict.lower() for name, verdict in CASE.findall(out)}


def one(file, library, limit):
    with tempfile.TemporaryDirectory(prefix="z") as cwd:
        code, out, seconds = run([file], limit, {**library.env(), "TMPDIR": cwd}, cwd)
    return {"outcome": outcome(code), "cases": verdicts(out), "seconds": seconds, "tail": out[-1500:]}


def judge(programs, library, options, serial):
    """Runs all programs; one that fails is run again alone, for its races are not what is judged. Returns {name: part}."""
    parts = {}
    jobs = {n: (lambda f=f: one(f, library, options.limit)) for n, f in programs.items()}
    for name, part in together(jobs, options.jobs, serial):
        parts[name] = part
        if options.verbose:
            say(f"{name}: {part['outcome']} {compare.count(part)} {part['seconds']:.1f} s")
    return {n: compare.again(parts[n], jobs[n], options.runs) for n in sorted(parts)}


def main(options):
    kind = options.kind
    options.limit = options.limit or LIMIT
    build = Build(kind, options.jobs)
    programs, cannot = build.tests()
    about = read_data("programs.json")
    if options.names:
        programs = {n: f for n, f in programs.items() if any(x in n for x in options.names)}
    if options.verbose:
        say(f"{len(programs)} programs; {len(cannot)} do not compile in the {kind} build: {', '.join(sorted(cannot))}")

    def all_of(path, label):
        with Library(path, label) as library:
            return compare.result(label, library.version(), judge(programs, library, options, about["serial"]))

    return compare.beside(options, f"libzmq-{kind}.json", lambda: all_of(build.library(), "libzmq 4.3.5"),
                          lambda: all_of(options.library, compare.label(options)), about["not_applicable"], about["races"])
