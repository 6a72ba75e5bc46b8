"""`scripts/suites perf`: libzmq's own perf programs, the same files, with each library under them in turns.

As in bench/rivals/bench.py: the libraries take turns within each round, the order turns from round to round, sender and
receiver are pinned to two cores, and medians are compared. `proxy_thr` and the inproc programs are one process. Beside them
perf_python.py (Debian's pyzmq, as it finds its library by LD_LIBRARY_PATH), footprint.c, and bare_lat.c, which makes the
round trips of `lat` by system calls alone: all of our own.
"""

import os
import re
import resource
import socket
import statistics
import subprocess
import time

from build import Build
from common import HERE, Library, Trouble, cache, call, say, table
from suite_pyzmq import debian

THROUGHPUT = re.compile(r"mean throughput: (\d+) \[msg/s\]")
RESIDENT = re.compile(r"resident: ([\d.]+) \[KiB each\]\nidle: ([\d.]+) \[ms")
CPU = re.compile(r"^cpu: ([\d.]+) \[s\]", re.MULTILINE)
LATENCY = re.compile(r"average latency: ([\d.]+) \[us\]")
# Messages of each size: a quarter of a second to a second each for libzmq.
SIZES = {"thr": {1: 2_000_000, 32: 2_000_000, 256: 1_000_000, 1024: 600_000, 4096: 200_000, 65536: 30_000,
                 1048576: 1_500},
         "inproc_thr": {1: 4_000_000, 32: 4_000_000, 1024: 1_500_000, 65536: 600_000, 1048576: 200_000},
         "proxy_thr": {32: 500_000, 1024: 300_000},
         "lat": {1: 20_000, 1024: 20_000, 65536: 5_000},
         "inproc_lat": {1: 50_000, 1024: 50_000},
         "python_thr": {32: 200_000, 1024: 200_000},
         "python_lat": {32: 100_000},
         # Here the size is how many, and the count is not used.
         "footprint_sockets": {1000: 1},
         "footprint_peers": {1000: 1},
         "footprint_served": {10_000: 1}}
LIMIT = 90


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(number):
    """Whether somebody listens at the port: a peer that comes sooner waits a tenth of a second before it tries again."""
    with open("/proc/net/tcp") as f:
        return any(line.split()[1].endswith(f":{number:04X}") and line.split()[3] == "0A" for line in f)


def descriptors():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def pinned(core):
    cores = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cores[core % len(cores)]})


class Run:
    """One measurement: the figure, and CPU seconds of all processes together."""

    def __init__(self, programs, library):
        self.programs = programs
        self.env = {**os.environ, **library.env()}

    def start(self, argv, core):
        return subprocess.Popen(argv, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                preexec_fn=None if core is None else pinned(core))

    def footprint(self, what, size):
        """Returns KiB for each, and milliseconds of CPU a second at rest."""
        try:
            out = subprocess.run([self.programs["footprint"], what.partition("_")[2], str(size)], env=self.env, text=True,
                                 stdout=subprocess.PIPE, timeout=LIMIT, preexec_fn=descriptors).stdout
        except subprocess.TimeoutExpired:
            return None
        found = RESIDENT.search(out)
        return (float(found[1]), float(found[2])) if found else None

    def of(self, what, size, count):
        if what.startswith("footprint"):
            return self.footprint(what, size)
        before = os.times()
        began = time.monotonic()
        if what.startswith(("inproc", "proxy")):
            processes = [self.start([self.programs[what], str(size), str(count)], None)]
        else:
            number = port()
            end = f"tcp://127.0.0.1:{number}"
            args = [end, str(size), str(count)]
            python = what.startswith("python")
            what = what.removeprefix("python_")
            programs = [[*self.programs["python"], role + what] if python else [self.programs[role + what]]
                        for role in ("local_", "remote_")]
            processes = [self.start([*programs[0], *args], 0)]
            while not listens(number) and processes[0].poll() is None and time.monotonic() - began < LIMIT:
                time.sleep(0.005)
            processes.append(self.start([*programs[1], *args], 1))
        text = ""
        try:
            for p in processes:
                text += p.communicate(timeout=max(1, LIMIT - (time.monotonic() - began)))[0]
        except subprocess.TimeoutExpired:
            pass
        finally:
            for p in processes:
                if p.poll() is None:
                    p.kill()
                    p.communicate()
        found = (LATENCY if what.endswith("lat") else THROUGHPUT).search(text)
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        # Of a program that measures it itself, what it takes to start is left out.
        cpu = sum(map(float, CPU.findall(text))) or cpu
        return (float(found[1]), cpu / count * 1e6) if found else None


def main(options):
    if not options.library:
        raise Trouble("perf compares with the real library: --library is needed")
    build = Build("release", options.jobs)
    programs = build.perf()
    programs["footprint"] = cache("libzmq", build.kind, "perf", "footprint", folder=False)
    call(["gcc", "-O2", f"-I{build.source}/include", os.path.join(HERE, "footprint.c"),
          os.path.join(build.library(), "libzmq.so.5"), "-o", programs["footprint"]])
    for role, define in (("local", ["-DLOCAL"]), ("remote", [])):
        programs[f"{role}_bare_lat"] = cache("libzmq", build.kind, "perf", f"{role}_bare_lat", folder=False)
        call(["gcc", "-O2", *define, os.path.join(HERE, "bare_lat.c"), "-o", programs[f"{role}_bare_lat"]])
    wanted = {w: s for w, s in SIZES.items() if not options.names or any(n in w for n in options.names)}
    if any(w.startswith("python") for w in wanted):
        programs["python"] = [debian()[0], os.path.join(HERE, "perf_python.py")]
    rows, slower = [], []
    with Library(build.library(), "libzmq") as real, Library(options.library, "here") as ours:
        libraries = [real, ours]
        for what, sizes in wanted.items():
            for size, count in sizes.items():
                got = {l.name: [] for l in libraries}
                bare = []
                failed = set()
                for turn in range(options.rounds):
                    for library in (libraries if turn % 2 == 0 else libraries[::-1]):
                        if library.name in failed:
                            continue
                        one = Run(programs, library).of(what, size, count)
                        if one is None:
                            failed.add(library.name)
                        else:
                            got[library.name].append(one)
                    if what == "lat":
                        bare.append(Run(programs, real).of("bare_lat", size, count))
                if failed:
                    rows.append([what, size, *("no result" if n in failed else "" for n in ("here", "libzmq")),
                                 "-", "-", "-", "-", "-"])
                    slower.append(f"{what} {size}")
                    continue
                median = {n: [statistics.median(x[i] for x in v) for i in (0, 1)] for n, v in got.items()}
                pairs = [o[0] / r[0] for o, r in zip(got["here"], got["libzmq"])]
                ratio = median["here"][0] / median["libzmq"][0]
                rows.append([what, size, f"{median['here'][0]:,.1f}", f"{median['libzmq'][0]:,.1f}", f"{ratio:.2f}",
                             f"{min(pairs):.2f}-{max(pairs):.2f}", f"{median['here'][1]:.3f}",
                             f"{median['libzmq'][1]:.3f}",
                             f"{statistics.median(one[0] for one in bare):,.1f}" if all(bare) and bare else "-"])
                if (ratio > 1) if what.endswith("lat") or what.startswith("footprint") else (ratio < 1):
                    slower.append(f"{what} {size}: {ratio:.2f}")
                if options.verbose:
                    say("  ".join(map(str, rows[-1])))
    table(rows, ["program", "bytes", "here", "libzmq", "ratio", "of each turn", "CPU us/msg", "libzmq", "bare"])
    say("thr: messages a second; lat: microseconds one way; footprint: KiB each, and in place of CPU a message ms a second "
        "at rest; ratio: here / libzmq, of the medians; bare: the same by system calls alone")
    say("slower than libzmq: " + "; ".join(slower) if slower else "nowhere slower than libzmq")
    return int(bool(slower))
