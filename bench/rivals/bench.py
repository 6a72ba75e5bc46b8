#!/usr/bin/env python3
"""Builds the peers of existing ZeroMQ implementations and compares them.

    bench.py build [IMPL ...]
    bench.py run --impls libzmq,omq --patterns thr,lat --transports tcp,ipc ...
    bench.py run --impls "" --with purezmq=PATH --patterns stream,single,requester,ws,dgram
    bench.py run --impls purezmq,libzmq --patterns tail,arena-thr,start,light ...
    bench.py interop --impls libzmq,omq,... [--patterns thr,lat,pub]
    bench.py table FILE.json

Sender and receiver are two processes on this machine (loopback TCP or Unix
sockets in a temporary folder); inproc is one process. Only the Python
standard library is used. See README.md; scripts/compare makes the project's charts with this.
"""

import argparse
import glob
import json
import os
import queue
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import arena
import machine
import newer
import start
import tail

HERE = os.path.dirname(os.path.abspath(__file__))
# All peers are built into one folder: they share most of what they depend on.
TARGET = os.path.join(os.environ["CARGO_TARGET_DIR"], "rivals") if "CARGO_TARGET_DIR" in os.environ \
    else os.path.join(HERE, "target")
PEERS = ["libzmq", "omq", "monocoque", "zmqrs", "rzmq", "raw"]
# What is built beside those. libzmq with drafts is compared in the patterns of newer.py alone.
ALSO_BUILT = [newer.DRAFTS]
# The same peer with another libzmq, and what is not ZeroMQ at all: built when they are asked for.
WHEN_ASKED = ["libzmq-4.3.5"] + list(arena.YARDSTICKS)
# Patterns that have a module of their own.
MORE = {name: module for module in (arena, start, tail) for name in module.PATTERNS}
# Patterns of one run each, without a count that has to be found.
FIXED = {"conn", *start.PATTERNS, *tail.PATTERNS}
# Patterns whose system calls are counted, if that is asked for.
COUNTED = ("thr", "lat", "pub")
# What an implementation, or one mode of it, cannot do, by pattern or (pattern, transport).
CANNOT = {
    "purezmq:blocking": {"inproc-thr", "inproc-lat", "conn", "fan-in", "fan-out"},
    "raw": {"pub", "conn", "inproc-thr", "inproc-lat", "fan-out"},
    "zmqrs": {"inproc-thr", "inproc-lat"},
    "monocoque": {"inproc-thr", "inproc-lat", ("pub", "ipc"), ("conn", "ipc"), ("arena-in", "ipc"), ("arena-out", "ipc")},
}
for _no in CANNOT.values():
    _no |= {mine for mine, like in {"tail-pub": "pub", "arena-pub": "pub", "start": "conn", "light": "conn"}.items() if like in _no}
CANNOT["raw"] |= {"arena-in", "arena-out", "size"}
# Round trips are all that these have: throughput is the system calls', and those are raw:epoll's.
CANNOT["raw:tokio"] = CANNOT["raw:task"] = {"thr", "fan-in", *MORE}
# What it says that it can do, but fails at: from so many peers on, and why. Not tried again each time, since most
# failures are waits for the time limit; --try-failing does.
FAILS = {
    ("monocoque", "conn"): (2, "it accepts one peer after the other"),
    ("rzmq", "conn"): (300, "recv on a bound PULL fails"),
    ("monocoque", "light"): (2, "it accepts one peer after the other"),
    ("rzmq", "light"): (300, "recv on a bound PULL fails"),
}
FANS = ("fan-in", "fan-out")
# A cell that takes far longer than was asked for is measured this often only.
FEW = 2


# ---------------------------------------------------------------- processes

class Proc:
    """A peer process whose lines are collected and whose life is bounded."""

    pin = "none"
    # Where processes were found that ought to be elsewhere: program and CPUs.
    astray = set()
    # How many were looked at.
    looked_at = 0
    # Counts the system calls of what is started meanwhile.
    counter = None

    def __init__(self, argv, limit, cpu=0, timed=False):
        self.name, self.one = os.path.basename(argv[0]), None
        self.clock = start.ExecClock() if timed else None
        if Proc.pin != "none":
            cpus = sorted(os.sched_getaffinity(0))
            self.one = {cpus[0] if Proc.pin == "same" else cpus[cpu % len(cpus)]}

        def pre():
            if self.one:
                os.sched_setaffinity(0, self.one)
            if self.clock:
                self.clock.mark()

        self.p = subprocess.Popen(
            (Proc.counter.prefix() if Proc.counter else []) + argv + ["--timeout", str(int(limit) + 5)], preexec_fn=pre if self.one or self.clock else None,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.q = queue.Queue()
        self.err = []
        threading.Thread(target=self._out, daemon=True).start()
        threading.Thread(target=self._err, daemon=True).start()

    def _out(self):
        for line in self.p.stdout:
            self.q.put(line.rstrip("\n"))
        self.q.put(None)

    def _err(self):
        for line in self.p.stderr:
            self.err.append(line.rstrip("\n"))

    def line(self, deadline, what):
        """The next line: 'READY' or a JSON object. Raises when none comes."""
        left = deadline - time.monotonic()
        try:
            got = self.q.get(timeout=max(0.01, left))
        except queue.Empty:
            raise Failure(f"timed out waiting for {what}") from None
        if got is None:
            time.sleep(0.05)
            raise Failure(f"ended before {what}: rc {self.p.poll()} {' | '.join(self.err)[-300:]}")
        return got

    def exec_ns(self):
        """When the process became its program."""
        return self.clock.get()

    def look(self):
        """Where its threads may run: what was asked for is not always what is."""
        if self.one:
            Proc.looked_at += 1
            Proc.astray |= {(self.name, tuple(sorted(cpus))) for cpus in machine.allowed(self.p.pid) if cpus != self.one}

    def want(self, word, deadline):
        got = self.line(deadline, word)
        if got != word:
            raise Failure(f"said {got!r} instead of {word}")

    def json(self, deadline, what="a result"):
        if self.p.poll() is None:
            self.look()
        while True:
            got = self.line(deadline, what)
            if got.startswith("{"):
                return json.loads(got)

    def say(self, text):
        try:
            self.p.stdin.write(text)
            self.p.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass

    def eof(self):
        try:
            self.p.stdin.close()
        except (BrokenPipeError, ValueError):
            pass

    def end(self, grace=3.0):
        self.eof()
        try:
            self.p.wait(grace)
        except subprocess.TimeoutExpired:
            self.p.send_signal(signal.SIGKILL)
            self.p.wait()


class Failure(Exception):
    pass


class LeftOut(Failure):
    """Not tried, and nobody's fault."""


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def endpoint(transport, tmp):
    if transport in ("tcp", "ws"):
        return f"{transport}://127.0.0.1:{free_port()}"
    if transport == "udp":
        return f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    endpoint.n = getattr(endpoint, "n", 0) + 1
    return f"ipc://{tmp}/s{endpoint.n}"


# -------------------------------------------------------------------- cells

def peer_path(name):
    return os.path.join(TARGET, "release", name)


def peer_argv(opt, impl):
    """`name` or `name:mode`; the mode is handed to the peer as --mode."""
    name, _, mode = impl.partition(":")
    path = opt.with_.get(name)
    if path is None:
        path = peer_path(name)
        if not os.path.exists(path):
            raise Failure(f"{name}: not built (bench.py build {name})")
    return path, (["--mode", mode] if mode else [])


def common_args(opt, impl, role, size, count, warmup, extra=()):
    path, mode = peer_argv(opt, impl)
    a = [path, role, "--size", str(size), "--count", str(count), "--warmup", str(warmup),
         "--payload", opt.payload, "--hold"] + mode + list(extra)
    if opt.hwm is not None:
        a += ["--hwm", str(opt.hwm)]
    return a


def two(opt, limit, tmp, transport, receiver, sender, bind_cpu=0, timed=False):
    """Runs a bound and a connecting process, and yields them."""
    ep = endpoint(transport, tmp)
    deadline = time.monotonic() + limit
    r = s = server = None
    bind = "--bind"
    try:
        if os.path.basename(receiver[0]) in arena.SERVED:
            server, bind = serve(ep, deadline), "--connect"
        r = Proc(receiver + [bind, ep], limit, bind_cpu)
        r.want("READY", deadline)
        s = Proc(sender + ["--connect", ep], limit, 1 - bind_cpu, timed)
        yield r, s, deadline
    finally:
        for p in (s, r):
            if p is not None:
                p.end(2.0)
        if server is not None:
            server.terminate()
            server.wait()


def serve(ep, deadline):
    """A NATS server, between sender and receiver, wherever there is room."""
    port = ep.rpartition(":")[2]
    program = shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin")
    if program is None:
        raise Failure("there is no nats-server (Debian, Ubuntu: apt-get install nats-server)")
    server = subprocess.Popen([program, "-a", "127.0.0.1", "-p", port], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(port)), 1).close()
            return server
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                server.kill()
                raise Failure("nats-server does not answer") from None
            time.sleep(0.02)


def cell_thr(opt, tx, rx, transport, size, count, tmp, warm_up=None, more=()):
    w = warm_up or max(1, count // 10)
    gen = two(opt, opt.limit, tmp, transport,
              common_args(opt, rx, "pull", size, count, w, more),
              common_args(opt, tx, "push", size, count, w, more))
    r, s, dl = next(gen)
    try:
        out = r.json(dl)
        s.eof()
        out["sender"] = s.json(dl, "the sender's line")
        return out
    finally:
        gen.close()


def cell_lat(opt, tx, rx, transport, size, count, tmp, more=()):
    w = max(1, count // 10)
    gen = two(opt, opt.limit, tmp, transport,
              common_args(opt, rx, "lat-rep", size, count, w, more),
              common_args(opt, tx, "lat-req", size, count, w, more))
    r, s, dl = next(gen)
    try:
        return s.json(dl)
    finally:
        gen.close()


def cell_pub(opt, tx, rx, transport, size, count, tmp, subs=1, warm_up=None, more=()):
    w = warm_up or max(1, count // 10)
    n = ["--peers", str(subs), *more]
    gen = two(opt, opt.limit, tmp, transport,
              common_args(opt, tx, "pub", size, count, w, n),
              common_args(opt, rx, "sub", size, count, w, n))
    p, s, dl = next(gen)
    try:
        s.want("READY", dl)  # every subscriber has seen a probe
        p.say("GO\n")
        out = s.json(dl)
        p.eof()
        out["sender"] = p.json(dl, "the publisher's line")
        return out
    finally:
        gen.close()


def cell_inproc(opt, impl, role, size, count):
    w = max(1, count // 10)
    p = Proc(common_args(opt, impl, role, size, count, w), opt.limit)
    try:
        return p.json(time.monotonic() + opt.limit)
    finally:
        p.end(2.0)


def cell_conn(opt, impl, transport, peers, tmp, each=1):
    """`each`: messages of every peer, the first at once and then one a second."""
    raw = peer_path("raw")
    if not os.path.exists(raw):
        raise Failure("the conn pattern needs the raw peer (bench.py build raw)")
    n = ["--peers", str(peers)]
    gen = two(opt, opt.limit, tmp, transport,
              common_args(opt, impl, "conn-pull", 16, each, 1, n),
              [raw, "conn-push", "--size", "16", "--count", str(each), "--hold"] + n)
    r, s, dl = next(gen)
    try:
        a = s.json(dl)
        out = r.json(dl)
        secs = (out["t_end_ns"] - a["t_start_ns"]) / 1e9
        out["seconds"] = secs
        out["conns_per_s"] = peers / secs
        out["kb_per_peer"] = (out["rss1_kb"] - out["rss0_kb"]) / peers
        out["size"] = 16
        return out
    finally:
        gen.close()


def cell_fan(opt, impl, pattern, transport, size, count, peers, tmp):
    """Many PUSH sockets to one PULL, or one PUSH to many PULL sockets: the many are in one process."""
    w = max(1, count // 10)
    n = ["--peers", str(peers)]
    push = common_args(opt, impl, pattern + "-push", size, count, w, n)
    pull = common_args(opt, impl, pattern + "-pull", size, count, w, n)
    inwards = pattern == "fan-in"
    gen = two(opt, opt.limit, tmp, transport, *((pull, push) if inwards else (push, pull)), bind_cpu=0 if inwards else 1)
    bound, connected, dl = next(gen)
    sender, receiver = (connected, bound) if inwards else (bound, connected)
    try:
        if not inwards:
            receiver.want("READY", dl)  # every receiver has seen a probe
            sender.say("GO\n")
        out = receiver.json(dl)
        sender.eof()
        out["sender"] = sender.json(dl, "the sender's line")
        return out
    finally:
        gen.close()


def run_cell(opt, cell, count, tmp):
    pat, tr, size, impl = cell["pattern"], cell["transport"], cell["size"], cell["impl"]
    if pat == "thr":
        return cell_thr(opt, impl, impl, tr, size, count, tmp)
    if pat == "lat":
        return cell_lat(opt, impl, impl, tr, size, count, tmp)
    if pat == "pub":
        return cell_pub(opt, impl, impl, tr, size, count, tmp, cell["subs"])
    if pat == "conn":
        return cell_conn(opt, impl, tr, cell["subs"], tmp)
    if pat in FANS:
        return cell_fan(opt, impl, pat, tr, size, count, cell["subs"], tmp)
    if pat in MORE:
        return MORE[pat].cell(sys.modules[__name__], opt, cell, count, tmp)
    if pat in newer.PATTERNS:
        return newer.cell(sys.modules[__name__], opt, pat, size, impl, count, tmp)
    return cell_inproc(opt, impl, pat, size, count)


def first_count(cell):
    size = cell["size"]
    if cell["pattern"].endswith("lat"):
        return 2000
    if cell["pattern"].endswith("pub"):
        return max(500, 100_000 // cell["subs"])
    if size <= 4096:
        return 200_000 if size <= 256 else 60_000
    return max(300, 400_000_000 // size // 4)


def scaled(cell, res, target):
    """A count that makes the next run of this cell take about `target` s."""
    secs = max(res["seconds"], 1e-4)
    n = int(res["count"] * target / secs)
    lo = 1000 if cell["pattern"].endswith("lat") else 500
    hi = 60_000_000 if cell["impl"].startswith("raw") else 30_000_000
    if cell["pattern"].endswith("pub"):
        hi = 8_000_000 // cell["subs"]
    # No more than 8 GB of payload in one cell.
    return max(lo, min(n, hi, max(lo, 12_000_000_000 // cell["size"])))


# ------------------------------------------------------------------- tables

def key_of(pattern, r):
    return r["mean_us"] if pattern.endswith("lat") else r["msgs_per_s"]


def human(x):
    if x >= 1e6:
        return f"{x / 1e6:.2f}M"
    if x >= 1e4:
        return f"{x / 1e3:.0f}k"
    if x >= 1e3:
        return f"{x / 1e3:.1f}k"
    return f"{x:.0f}"


def good(c):
    return [r for r in c["results"] if "error" not in r]


def chosen(c, rounds):
    """The results that count: the `rounds` with the least stolen time."""
    g = sorted(good(c), key=lambda r: r.get("steal", 0))
    return g[:rounds]


def median(c, rounds, f):
    v = [f(r) for r in chosen(c, rounds)]
    return statistics.median(v) if v else None


def tables(data):
    out = []
    cells, impls, rounds = data["cells"], data["impls"], data["rounds"]
    base = "libzmq" if "libzmq" in impls else impls[0]
    groups = []
    for c in cells:
        g = (c["pattern"], c["transport"])
        if g not in groups:
            groups.append(g)
    for pat, tr in groups:
        sub = [c for c in cells if (c["pattern"], c["transport"]) == (pat, tr)]
        if pat in MORE and hasattr(MORE[pat], "table"):
            out += MORE[pat].table(sys.modules[__name__], pat, sub, rounds)
            continue
        if pat in newer.PATTERNS:
            out += newer.table(pat, sub, human, lambda c: median(c, rounds, rate))
            continue
        cols = [i for i in impls if any(c["impl"] == i and c["results"] for c in sub)]
        rows = []
        for c in sub:
            k = (c["size"], c.get("subs"))
            if k not in rows:
                rows.append(k)
        title = {"thr": "PUSH/PULL throughput, msg/s", "lat": "REQ/REP round trip, us",
                 "pub": "PUB/SUB fan-out, total deliveries/s",
                 "inproc-thr": "inproc PUSH/PULL throughput, msg/s",
                 "inproc-lat": "inproc REQ/REP round trip, us",
                 "fan-in": "fan-in: PUSH sockets of one process to one PULL",
                 "fan-out": "fan-out: one PUSH to PULL sockets of one process",
                 "conn": "connections: accept + one message each"} | arena.PATTERNS
        title = title[pat]
        out.append(f"\n### {title}" + ("" if pat.startswith("inproc") else f" ({tr})") + "\n")
        if pat == "conn":
            out.append("| impl | peers | seconds | conns/s | KiB RSS per peer | idle CPU, ms/s | threads |")
            out.append("|---|---|---|---|---|---|---|")
            for c in sub:
                if good(c):
                    m = lambda f: median(c, rounds, f)
                    out.append(f"| {c['impl']} | {c['subs']} | {m(lambda r: r['seconds']):.3f} | "
                               f"{human(m(lambda r: r['conns_per_s']))} | "
                               f"{m(lambda r: r['kb_per_peer']):.1f} | {idle(c, rounds)} | "
                               f"{m(lambda r: r['threads']):.0f} |")
                elif c["results"]:
                    out.append(f"| {c['impl']} | {c['subs']} | failed | | | | |")
            continue
        if pat in FANS:
            out += fan(sub, rounds)
            continue
        lat = pat.endswith("lat")
        head = "subs x bytes" if pat.endswith("pub") else "bytes"
        out.append(f"| {head} | " + " | ".join(cols) + " |")
        out.append("|---" * (len(cols) + 1) + "|")
        for size, subs in rows:
            line = [f"{subs} x {size}" if subs else str(size)]
            ref = next((c for c in sub if c["impl"] == base and (c["size"], c.get("subs")) == (size, subs)), None)
            refv = median(ref, rounds, lambda r: key_of(pat, r)) if ref else None
            for i in cols:
                c = next((c for c in sub if c["impl"] == i and (c["size"], c.get("subs")) == (size, subs)), None)
                v = median(c, rounds, lambda r: key_of(pat, r)) if c else None
                if v is None:
                    line.append("failed" if c and c["results"] else "-")
                    continue
                ratio = f" ({v / refv:.2f}x)" if refv else ""
                if lat:
                    p50 = median(c, rounds, lambda r: r["p50_us"])
                    p99 = median(c, rounds, lambda r: r["p99_us"])
                    line.append(f"{v:.1f} / {p50:.1f} / {p99:.0f}{ratio}")
                else:
                    mb = f" {size * v / 1e6:.0f} MB/s" if size >= 4096 else ""
                    drops = max((r.get("drops", 0) for r in good(c)), default=0)
                    d = f" drops {drops}" if drops else ""
                    line.append(f"{human(v)}{mb}{ratio}{d}")
            out.append("| " + " | ".join(line) + " |")
        if lat:
            out.append("\nmean / p50 / p99; the ratio is of the means, lower is better.")
            out += far(sub, rows, cols)
        if pat in ("thr", "pub", "inproc-thr"):
            out.append(f"\nCPU seconds per million {'deliveries' if pat == 'pub' else 'messages'}, "
                       + ("whole process" if pat == "inproc-thr" else "sender + receiver")
                       + ", and threads:\n")
            out.append(f"| {head} | " + " | ".join(cols) + " |")
            out.append("|---" * (len(cols) + 1) + "|")
            for size, subs in rows:
                line = [f"{subs} x {size}" if subs else str(size)]
                for i in cols:
                    c = next((c for c in sub if c["impl"] == i and (c["size"], c.get("subs")) == (size, subs)), None)
                    if not c or not good(c):
                        line.append("-")
                        continue
                    n = 1e6 / (subs or 1)
                    rx = median(c, rounds, lambda r: (r["cpu_user_s"] + r["cpu_sys_s"]) / r["count"] * n)
                    if pat == "inproc-thr":
                        line.append(f"{rx:.2f} ({median(c, rounds, lambda r: r['threads']):.0f} thr)")
                        continue
                    # The sender's figure also covers its warm-up (a tenth more).
                    tx = median(c, rounds, lambda r: (r["sender"]["cpu_user_s"] + r["sender"]["cpu_sys_s"])
                                / (r["count"] * 1.1) * n)
                    th = (median(c, rounds, lambda r: r["sender"]["threads"]),
                          median(c, rounds, lambda r: r["threads"]))
                    line.append(f"{tx:.2f} + {rx:.2f} ({th[0]:.0f}+{th[1]:.0f})")
                out.append("| " + " | ".join(line) + " |")
            out += memory(sub, rows, cols, head, rounds, pat)
        if pat in COUNTED:
            out += kernel(sub, rows, cols, head, rounds, pat)
    return "\n".join(out) + "\n"


def far(sub, rows, cols):
    """The far end of the round trips, of all rounds together."""
    if not any("merged" in c for c in sub):
        return []
    out = ["\np99.9 / p99.99 / longest, of all rounds together:\n", "| bytes | " + " | ".join(cols) + " |",
           "|---" * (len(cols) + 1) + "|"]
    for size, _ in rows:
        line = [str(size)]
        for i in cols:
            told = next((c.get("merged") for c in sub if c["impl"] == i and c["size"] == size), None)
            line.append(" / ".join(tail.micros(told[q]) for q in ("p99.9", "p99.99", "max")) if told else "-")
        out.append("| " + " | ".join(line) + " |")
    return out


def kernel(sub, rows, cols, head, rounds, pat):
    """System calls and context switches per 1,000 messages, round trips or deliveries."""
    if not any("calls" in c for c in sub):
        return []
    def switches(r):
        return r["vol_ctx_switches"] + r["invol_ctx_switches"]
    whose = "the requester" if pat == "lat" else "both processes"
    out = [f"\nPer 1,000 {'deliveries' if pat == 'pub' else 'round trips' if pat == 'lat' else 'messages'}: system calls of both processes, "
           f"in a run of its own ({next(c['counted_by'] for c in sub if 'calls' in c)}); context switches of {whose}:\n",
           f"| {head} | " + " | ".join(cols) + " |", "|---" * (len(cols) + 1) + "|"]
    for size, subs in rows:
        line = [f"{subs} x {size}" if subs else str(size)]
        for i in cols:
            c = next((c for c in sub if c["impl"] == i and (c["size"], c.get("subs")) == (size, subs)), None)
            if not c or not good(c) or "calls" not in c:
                line.append("-")
                continue
            rx = median(c, rounds, lambda r: switches(r) / r["count"] * 1e3 / (subs or 1))
            tx = 0 if pat == "lat" else median(c, rounds, lambda r: switches(r["sender"]) / (r["count"] * 1.1) * 1e3 / (subs or 1))
            line.append(f"{c['calls']:.3g}, {rx + tx:.3g}")
        out.append("| " + " | ".join(line) + " |")
    return out


def idle(c, rounds):
    """CPU time of the process in a second in which none of its peers said anything."""
    if any("idle_cpu_s" not in r for r in good(c)):
        return "-"
    return f"{median(c, rounds, lambda r: r['idle_cpu_s'] / r['idle_s'] * 1e3):.2f}"


def fan(sub, rounds):
    """One row for each number of sockets, with the ratio to the smallest number, which is measured in the same rounds."""
    out = ["| bytes | impl | sockets | msg/s | to one pair | fairness | CPU s per million | threads |",
           "|---|---|---|---|---|---|---|---|"]
    for c in sorted(sub, key=lambda c: (c["size"], sub.index(c))):
        if not good(c):
            if c["results"]:
                out.append(f"| {c['size']} | {c['impl']} | {c['subs']} | failed | | | | |")
            continue
        m = lambda f: median(c, rounds, f)  # noqa: E731
        base = next(b for b in sub if (b["impl"], b["size"]) == (c["impl"], c["size"]))
        ratio = f"{m(rate) / median(base, rounds, rate):.2f}x" if base is not c and good(base) else ""
        rx = m(lambda r: (r["cpu_user_s"] + r["cpu_sys_s"]) / r["count"] * 1e6)
        tx = m(lambda r: (r["sender"]["cpu_user_s"] + r["sender"]["cpu_sys_s"]) / r["sender"]["sent"] * 1e6)
        th = m(lambda r: r["sender"]["threads"]), m(lambda r: r["threads"])
        # The raw peer counts none: its connections take turns.
        fairness = f"{m(lambda r: r['fairness']):.2f}" if "fairness" in c["results"][0] else ""
        out.append(f"| {c['size']} | {c['impl']} | {c['subs']} | {human(m(rate))} | {ratio} | {fairness} | "
                   f"{tx:.2f} + {rx:.2f} | {th[0]:.0f}+{th[1]:.0f} |")
    out.append("\nFairness: messages of the slowest socket, divided by those of the fastest. CPU: sender + receiver.")
    return out


def rate(r):
    return r["msgs_per_s"]


def memory(sub, rows, cols, head, rounds, pat):
    """The largest resident size of each process."""
    one = pat == "inproc-thr"
    out = ["\nLargest memory, MiB, " + ("whole process" if one else "sender + receiver") + ":\n",
           f"| {head} | " + " | ".join(cols) + " |", "|---" * (len(cols) + 1) + "|"]
    for size, subs in rows:
        line = [f"{subs} x {size}" if subs else str(size)]
        for i in cols:
            c = next((c for c in sub if c["impl"] == i and (c["size"], c.get("subs")) == (size, subs)), None)
            if not c or not good(c):
                line.append("-")
                continue
            rx = median(c, rounds, lambda r: r["max_rss_kb"] / 1024)
            if one:
                line.append(f"{rx:.1f}")
            else:
                tx = median(c, rounds, lambda r: r["sender"]["max_rss_kb"] / 1024)
                line.append(f"{tx:.1f} + {rx:.1f}")
        out.append("| " + " | ".join(line) + " |")
    return out


# ----------------------------------------------------------------- commands

def cannot(impl, pat, tr):
    only = arena.YARDSTICKS.get(impl.partition(":")[0])
    if only and (tr != "tcp" or pat not in only):
        return True
    no = CANNOT.get(impl.partition(":")[0], set()) | CANNOT.get(impl, set())
    return pat in no or (pat, tr) in no


def cmd_build(opt):
    ok = True
    for name in opt.impls or PEERS + ALSO_BUILT:
        print(f"== {name}", flush=True)
        t = time.monotonic()
        if name == "libzmq-4.3.5":
            rc = build_newer_libzmq()
        else:
            rc = subprocess.call(["cargo", "build", "--release", "--locked"], cwd=os.path.join(HERE, "peers", name),
                                 env=os.environ | {"CARGO_TARGET_DIR": TARGET})
            if name == newer.DRAFTS:
                prepare_drafts()
        print(f"   rc {rc}, {time.monotonic() - t:.0f} s", flush=True)
        ok &= rc == 0
    return 0 if ok else 1


def prepare_drafts():
    """Has the tests' peer make the empty libraries that stand for Node's, without which the libzmq with drafts cannot be loaded.
    Where that fails, version_of says what is missing."""
    subprocess.call([sys.executable, os.path.join(HERE, "..", "..", "tests", "peers", "drafts.py")],
                    stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wheel():
    """The libzmq of pyzmq's wheel, which `scripts/setup` puts into .venv; `None` where it is not."""
    found = glob.glob(os.path.join(HERE, "..", "..", ".venv", "lib", "python*", "site-packages", "pyzmq.libs", "libzmq*.so.*"))
    return os.path.realpath(found[0]) if found else None


def build_newer_libzmq():
    """The peer of libzmq with the libzmq of pyzmq's wheel instead of the one that the crate carries."""
    library = wheel()
    if library is None:
        print("there is no pyzmq in .venv: run scripts/setup")
        return 1
    folder, target = os.path.dirname(library), os.path.join(TARGET, "wheel")
    os.makedirs(target, exist_ok=True)
    link = os.path.join(target, "libzmq.so")
    if not os.path.exists(link):
        os.symlink(library, link)
    host = next(line.split()[1] for line in machine.said(["rustc", "-vV"]).splitlines() if line.startswith("host:"))
    # What a crate's build script would say of the native library, said instead of it.
    instead = [f'target.{host}.zmq.{what}' for what in
               (f'rustc-link-search = ["{target}"]', 'rustc-link-lib = ["zmq"]')]
    rc = subprocess.call(["cargo", "build", "--release", "--locked", *(x for one in instead for x in ("--config", one))],
                         cwd=os.path.join(HERE, "peers", "libzmq"),
                         env=os.environ | {"CARGO_TARGET_DIR": target, "RUSTFLAGS": f"-C link-arg=-Wl,-rpath,{folder}"})
    if rc == 0:
        for name in ("libzmq", "minimal-libzmq"):
            path = os.path.join(target, "release", name)
            if os.path.exists(path):
                shutil.copy(path, peer_path(f"{name}-4.3.5"))
    return rc


def version_of(opt, impl):
    """Whether an implementation's program runs, and the version that it tells, or why not."""
    try:
        path, _ = peer_argv(opt, impl)
        told = subprocess.run([path, "version"], capture_output=True, text=True, timeout=10)
        if told.returncode != 0:
            return False, f"unknown ({told.stderr.strip()})"
        return True, json.loads(told.stdout)["version"]
    except Exception as e:  # noqa: BLE001 - reported, and its cells fail
        return False, f"unknown ({e})"


def cmd_run(opt):
    impls = [i for i in opt.impls.split(",") if i] + [n for n in opt.with_ if n not in opt.impls.split(",")]
    sizes = [int(x) for x in opt.sizes.split(",")]
    lat_sizes = [int(x) for x in opt.lat_sizes.split(",")]
    trs = opt.transports.split(",")
    subs = [int(x) for x in opt.subs.split(",")]
    plan = []  # rows of cells that differ only in the implementation
    for pat in opt.patterns.split(","):
        if pat in ("thr", "lat"):
            for tr in trs:
                for size in (sizes if pat == "thr" else lat_sizes):
                    plan.append([dict(pattern=pat, transport=tr, size=size, impl=i) for i in impls])
        elif pat == "pub":
            for tr in opt.pub_transports.split(","):
                for n in subs:
                    plan.append([dict(pattern=pat, transport=tr, size=opt.pub_size, subs=n, impl=i) for i in impls])
        elif pat == "inproc":
            for size in [s for s in sizes if s <= opt.inproc_max]:
                plan.append([dict(pattern="inproc-thr", transport="inproc", size=size, impl=i) for i in impls])
            for size in lat_sizes:
                plan.append([dict(pattern="inproc-lat", transport="inproc", size=size, impl=i) for i in impls])
        elif pat in FANS:
            for tr in opt.fan_transports.split(","):
                for size in [int(x) for x in opt.fan_sizes.split(",")]:
                    plan.append([dict(pattern=pat, transport=tr, size=size, subs=n, impl=i)
                                 for i in impls for n in [int(x) for x in opt.fan_peers.split(",")]])
        elif pat in MORE:
            plan += MORE[pat].rows(opt, pat, impls)
        elif pat in newer.PATTERNS:
            for size in newer.PATTERNS[pat].sizes:
                plan.append(newer.row(pat, size, lambda impl: version_of(opt, impl)[0]))
                if not plan[-1]:
                    sys.exit(f"the programs of {pat} are not there")
        elif pat == "conn":
            for n in [int(x) for x in opt.conns.split(",")]:
                plan.append([dict(pattern=pat, transport="tcp", size=16, subs=n, impl=i) for i in impls])
        else:
            sys.exit(f"unknown pattern {pat}")
    if any(c["pattern"] in newer.PATTERNS for row in plan for c in row):
        impls += [i for i in (newer.OURS, newer.DRAFTS) if i not in impls and version_of(opt, i)[0]]
    versions = {i: version_of(opt, i)[1] for i in impls}
    opt.maxima, opt.counter = {}, None
    if opt.count_calls:
        opt.counter = machine.Counter()
        if opt.counter.tool is None:
            print("SYSTEM CALLS ARE NOT COUNTED: neither perf nor strace can do it here", flush=True)
    began = machine.ticks()
    data = {"machine": machine.describe(), "impls": impls, "versions": versions, "rounds": opt.rounds,
            "payload": opt.payload, "hwm": opt.hwm, "pin": opt.pin, "load_before": os.getloadavg(), "cells": []}
    tmp = tempfile.mkdtemp(prefix="rv")
    t0 = time.monotonic()
    spent = {}
    try:
        for row in plan:
            for c in row:
                c["results"] = []
                data["cells"].append(c)
            measure_row(opt, row, tmp, spent)
            if opt.counter and opt.counter.tool and row[0]["pattern"] in COUNTED:
                count_calls(opt, row, tmp)
            for c in row:
                if (told := tail.merged(chosen(c, opt.rounds))) is not None:
                    c["merged"] = told
                for r in c["results"]:
                    r.pop("histogram", None)
            print(f"[{time.monotonic() - t0:5.0f}s] " + row_line(opt, row), flush=True)
            if opt.json:
                data["load_after"] = os.getloadavg()
                data["machine"]["steal"] = machine.stolen(began, machine.ticks())
                data["machine"]["pinning"] = pinning(opt)
                with open(opt.json + ".part", "w") as f:
                    json.dump(data, f, indent=1)
                os.replace(opt.json + ".part", opt.json)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
        if opt.counter:
            opt.counter.close()
    print("time: " + ", ".join(f"{what} {seconds:.0f} s" for what, seconds in spent.items()))
    print(tables(data))
    failed = [r for c in data["cells"] for r in c["results"] if "error" in r and "left_out" not in r]
    return 1 if opt.strict and failed else 0


def pinning(opt):
    """What became of it, as the kernel says."""
    if opt.pin == "none":
        return "not pinned"
    wrong = sorted(f"{name} on {','.join(map(str, cpus))}" for name, cpus in Proc.astray)
    return f"pinned ({opt.pin}), as read back from {Proc.looked_at} processes" + (f", but for {'; '.join(wrong)}" if wrong else "")


def count_calls(opt, row, tmp):
    """System calls of both processes per 1,000 messages: the difference of a short and a longer run, since what a process does
    to begin and to end is the same in both."""
    for c in row:
        if not good(c):
            continue
        least = 1000 if c["pattern"] == "lat" else 20_000 if c["size"] <= 4096 and c["pattern"] == "thr" else 500
        few = max(least, good(c)[0]["count"] // c.get("subs", 1) // 10)
        counts, calls = (few, 3 * few), []
        try:
            for count in counts:
                Proc.counter = opt.counter
                run_cell(opt, c, count, tmp)
                calls.append(opt.counter.total())
        except Failure as e:
            complain(c, e)
            continue
        finally:
            Proc.counter = None
            opt.counter.total()
        # A tenth more are sent: the warm-up.
        messages = (counts[1] - counts[0]) * 1.1 * c.get("subs", 1)
        c["calls"], c["counted_by"] = max(0.0, float(f"{(calls[1] - calls[0]) / messages * 1e3:.4g}")), opt.counter.tool


def measure_row(opt, row, tmp, spent):
    """Measures the cells of a row by turns: A, B, C, A, B, C and so on."""
    live, counts, few = [], {}, set()

    def timed(what, c, count):
        """One run. Says in `few` that it took far too long, and in `spent` what the time was good for."""
        a, began = machine.ticks(), time.monotonic()
        try:
            r = run_cell(opt, c, count, tmp)
        except Failure as e:
            r = {"error": str(e)}
            if isinstance(e, LeftOut):
                r["left_out"] = True
            complain(c, e)
        b, took = machine.ticks(), time.monotonic() - began
        r["steal"] = machine.stolen(a, b)
        if took > 3 * (opt.seconds + 1):
            few.add(id(c))
        spent[what] = spent.get(what, 0) + took
        if what != "counts":
            spent["thereof between first and last message"] = \
                spent.get("thereof between first and last message", 0) + r.get("seconds", 0)
        return r

    for c in row:
        why = None if opt.try_failing else known_failure(c)
        if why is not None:
            c["results"].append({"error": f"known: {why}"})
        elif not cannot(c["impl"], c["pattern"], c["transport"]):
            live.append(c)
    for c in list(live) if row[0]["pattern"] not in FIXED else []:  # a short run sets the count
        r = timed("counts", c, first_count(c))
        if r.get("seconds", 1) < min(0.15, opt.seconds / 4):
            r = timed("counts", c, scaled(c, r, min(0.3, opt.seconds / 3)))
        if "error" in r:
            c["results"].append(r)
            live.remove(c)
        else:
            counts[id(c)] = scaled(c, r, opt.seconds)
    for rnd in range(opt.rounds + opt.extra):
        for c in live:
            if len(c["results"]) >= FEW and (not good(c) or id(c) in few):
                continue  # it cannot do this, or not in reasonable time
            if rnd >= opt.rounds:
                calm = [r for r in good(c) if r["steal"] <= opt.max_steal]
                # One disturbed round of five hardly moves a median.
                if len(calm) >= opt.rounds - opt.rounds // 5:
                    continue
            c["results"].append(timed("rounds" if rnd < opt.rounds else "repeats", c, counts.get(id(c), 1)))


def known_failure(c):
    least, why = FAILS.get((c["impl"].partition(":")[0], c["pattern"]), (0, None))
    return why if c.get("subs", 1) >= least else None


def complain(c, failure):
    print(f"!! {c['pattern']} {c['transport']} {c['size']} {c['impl']}: {failure}", flush=True)


def row_line(opt, row):
    """One line on the terminal."""
    line = []
    for c in row:
        if c["pattern"] in MORE and hasattr(MORE[c["pattern"]], "line"):
            line.append(MORE[c["pattern"]].line(c, sys.modules[__name__], opt.rounds))
            continue
        v = median(c, opt.rounds, lambda r: key_of(c["pattern"], r)) if c["pattern"] != "conn" else \
            median(c, opt.rounds, lambda r: r["conns_per_s"])
        name = f"{c['impl']} x {c['subs']}" if c["pattern"] in FANS else c["impl"]
        line.append(f"{name} " + ("-" if v is None else f"{v:.1f}us" if c["pattern"].endswith("lat") else human(v)))
    c = row[0]
    crowd = f" x {c['subs']}" if "subs" in c and c["pattern"] not in FANS else ""
    crowd += f" at {c['rate']}/s" if "rate" in c else ""
    return f"{c['pattern']} {c['transport']} {c['size']}{crowd}: " + ", ".join(line)


def cmd_interop(opt):
    """Every sender with every receiver, a few messages each."""
    impls = [i for i in opt.impls.split(",") if i and i != "raw"] + list(opt.with_)
    tmp = tempfile.mkdtemp(prefix="rv")
    bad = 0
    try:
        for pat in opt.patterns.split(","):
            for tr in opt.transports.split(","):
                print(f"\n### {pat} over {tr} (rows: sender, publisher or requester; columns: the other side)\n")
                print("| | " + " | ".join(impls) + " |\n" + "|---" * (len(impls) + 1) + "|")
                notes = []
                for tx in impls:
                    line = [tx]
                    for rx in impls:
                        if cannot(tx, pat, tr) or cannot(rx, pat, tr):
                            line.append("-")
                            continue
                        try:
                            for size in (16, 300, 70000):
                                if pat == "thr":
                                    cell_thr(opt, tx, rx, tr, size, 2000, tmp)
                                elif pat == "lat":
                                    cell_lat(opt, tx, rx, tr, size, 200, tmp)
                                else:
                                    r = cell_pub(opt, tx, rx, tr, size, 300, tmp, 2)
                                    if r["drops"]:
                                        raise Failure(f"{r['drops']} of {r['subs'] * 330} lost at {size} bytes")
                            line.append("ok")
                        except Failure as e:
                            bad += 1
                            line.append("FAIL")
                            notes.append(f"- {tx} -> {rx}: {e}")
                    print("| " + " | ".join(line) + " |", flush=True)
                print("\n" + "\n".join(notes), flush=True)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    return 1 if bad else 0


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = ap.add_subparsers(dest="cmd", required=True)
    b = sub.add_parser("build")
    b.add_argument("impls", nargs="*")
    t = sub.add_parser("table")
    t.add_argument("file")
    for name in ("run", "interop"):
        r = sub.add_parser(name)
        r.add_argument("--impls", default=",".join(PEERS), help="name or name:mode, comma-separated")
        r.add_argument("--patterns", default="thr,lat,pub,inproc" if name == "run" else "thr,lat,pub")
        r.add_argument("--transports", default="tcp,ipc")
        r.add_argument("--payload", default="shared", choices=["shared", "copy"])
        r.add_argument("--hwm", type=int)
        r.add_argument("--pin", default="none", choices=["none", "same", "split"],
                       help="same: all processes on one CPU; split: receiver and sender on one CPU each")
        r.add_argument("--limit", type=float, default=40.0 if name == "run" else 8.0,
                       help="seconds that one process pair may take")
        r.add_argument("--with", dest="with_", action="append", default=[], metavar="NAME=PATH",
                       help="another implementation's peer binary")
        if name == "run":
            r.add_argument("--sizes", default="16,64,256,1024,4096,65536,1048576")
            r.add_argument("--lat-sizes", default="16,1024")
            r.add_argument("--subs", default="1,8,64")
            r.add_argument("--pub-size", type=int, default=256)
            r.add_argument("--pub-transports", default="tcp")
            r.add_argument("--inproc-max", type=int, default=65536)
            r.add_argument("--conns", default="1000", help="connections at once, for the pattern conn")
            r.add_argument("--fan-peers", default="1,8", help="sockets on the wide side of fan-in and fan-out; ratios are to the first")
            r.add_argument("--fan-sizes", default="64,1024")
            r.add_argument("--fan-transports", default="tcp")
            r.add_argument("--rounds", type=int, default=3)
            r.add_argument("--seconds", type=float, default=1.2, help="about how long one measurement lasts")
            r.add_argument("--max-steal", type=float, default=0.05,
                           help="repeat a cell whose share of stolen CPU time was higher")
            r.add_argument("--extra", type=int, default=1, help="such repeats per cell")
            r.add_argument("--arena-sizes", default=arena.SIZES)
            r.add_argument("--tail-transports", default="tcp")
            r.add_argument("--strict", action="store_true", help="fail if a cell fails")
            r.add_argument("--count-calls", action="store_true",
                           help="count the system calls, too, each in two runs of its own: perf or strace")
            r.add_argument("--try-failing", action="store_true", help="run what is known to fail, too")
            r.add_argument("--json")
    opt = ap.parse_args()
    if opt.cmd == "build":
        return cmd_build(opt)
    if opt.cmd == "table":
        with open(opt.file) as f:
            print(tables(json.load(f)))
        return 0
    Proc.pin = opt.pin
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for many connections
    opt.with_ = dict(x.split("=", 1) for x in opt.with_)
    opt.with_ = {k: os.path.abspath(v) for k, v in opt.with_.items()}
    return cmd_run(opt) if opt.cmd == "run" else cmd_interop(opt)


if __name__ == "__main__":
    sys.exit(main())
