"""`scripts/suites libzmq` and `libzmq-draft`: libzmq's own test programs, unchanged, with a library put under them.

Each program runs in a folder of its own with a time limit; what Unity prints for each RUN_TEST is counted.
"""

import os
import re
import tempfile

import compare
from build import Build
from common import Library, outcome, read_data, run, say, together, write_data

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
    for name in sorted(parts):
        for again in range(2, options.runs + 1):
            # A time-out is not a race: it is waited for twice at most.
            if parts[name]["outcome"] in compare.GOOD or (parts[name]["outcome"] == "time-out" and again > 2):
                break
            parts[name] = {**one(programs[name], library, options.limit), "run": again}
    return parts


def main(options):
    kind = options.kind
    options.limit = options.limit or LIMIT
    build = Build(kind, options.jobs)
    programs, cannot = build.tests()
    about = read_data("programs.json")
    if options.names:
        programs = {n: f for n, f in programs.items() if any(x in n for x in options.names)}
    name = f"libzmq-{kind}.json"
    # libzmq's main set leaves out what it has only with drafts, and that is its own list: what does not compile.
    if options.verbose:
        say(f"{len(programs)} programs; {len(cannot)} do not compile in the {kind} build: {', '.join(sorted(cannot))}")

    def all_of(path, label):
        with Library(path, label) as library:
            return compare.result(label, library.version(), judge(programs, library, options, about["serial"]))

    real = read_data(name)
    if options.both or options.baseline or not options.library:
        real = all_of(build.library(), "libzmq 4.3.5")
        if options.baseline:
            write_data(name, compare.kept(real))
        if not options.library:
            return compare.show(real, read_data(name), about["not_applicable"], options.all)
    ours = all_of(options.library, os.path.basename(os.path.realpath(options.library)))
    if real and options.names:
        real = {**real, "parts": {n: p for n, p in real["parts"].items() if n in programs}}
    if options.tails:
        for n, p in sorted(ours["parts"].items()):
            if p["outcome"] not in compare.GOOD:
                say(f"---- {n}\n{p['tail']}")
    return compare.show(ours, real, about["not_applicable"], options.all)
