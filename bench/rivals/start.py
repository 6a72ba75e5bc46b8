"""What it costs to begin, and to be there: time until the first message, the size of a small program, and memory for each
of many peers that say something now and then."""

import os
import re
import shutil
import struct
import subprocess
import tempfile
import time

PATTERNS = {
    "start": "The first message: ms from the sender's exec, and from its call of connect, until it is received",
    "size": "A program that sends one message, stripped, KiB",
    "light": "Many connections under light traffic: each peer sends a message a second",
}
# Messages of each peer under light traffic: the first when it connects, and one a second after that.
LIGHT = 4


def rows(opt, pattern, impls):
    if pattern == "light":
        return [[dict(pattern=pattern, transport="tcp", size=16, subs=int(n), impl=impl) for impl in impls]
                for n in opt.conns.split(",")]
    size = 0 if pattern == "size" else 16
    return [[dict(pattern=pattern, transport=transport, size=size, impl=impl) for impl in impls]
            for transport in (["tcp"] if pattern == "size" else opt.transports.split(","))]


def cell(bench, opt, cell, _, tmp):
    impl, transport = cell["impl"], cell["transport"]
    if cell["pattern"] == "size":
        return size(bench, opt, impl)
    if cell["pattern"] == "light":
        return bench.cell_conn(opt, impl, transport, cell["subs"], tmp, LIGHT)
    return first(bench, opt, impl, transport, tmp)


def first(bench, opt, impl, transport, tmp):
    """The receiver is there already. The last thing before exec is to look at the clock, which both processes share."""
    gen = bench.two(opt, opt.limit, tmp, transport,
                    bench.common_args(opt, impl, "conn-pull", 16, 1, 1, ["--peers", "1"]),
                    bench.common_args(opt, impl, "push", 16, 1, 1), timed=True)
    receiver, sender, deadline = next(gen)
    try:
        out = receiver.json(deadline)
        sender.eof()
        told = sender.json(deadline, "the sender's line")
    finally:
        gen.close()
    out["start_ms"] = (out["t_end_ns"] - sender.exec_ns()) / 1e6
    out["connect_ms"] = (out["t_end_ns"] - told["t_attach_ns"]) / 1e6
    out["seconds"], out["sender"] = out["start_ms"] / 1e3, told
    return out


class ExecClock:
    """The time at which a child process became its program."""

    def __init__(self):
        self.read, self.write = os.pipe()

    def mark(self):
        """In the child."""
        os.write(self.write, struct.pack("q", time.clock_gettime_ns(time.CLOCK_MONOTONIC)))

    def get(self):
        at, = struct.unpack("q", os.read(self.read, 8))
        os.close(self.read)
        os.close(self.write)
        return at


def size(bench, opt, impl):
    """Of `minimal-NAME` beside the peer, with the libraries that a system does not have anyway."""
    path, _ = bench.peer_argv(opt, impl)
    program = os.path.join(os.path.dirname(path), f"minimal-{impl.partition(':')[0]}")
    if not os.path.exists(program):
        raise bench.Failure(f"there is no {program}")
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "stripped")
        shutil.copy(program, copy)
        subprocess.run(["strip", copy], check=True)
        return {"count": 1, "seconds": 1.0, "program_kib": (os.path.getsize(copy) + libraries(program)) / 1024}


def libraries(program):
    """Bytes of the shared libraries that came with a wheel: a program needs them, and no system has them."""
    total = 0
    for path in re.findall(r"=> (\S+\.libs/\S+)", subprocess.run(["ldd", program], capture_output=True, text=True).stdout):
        total += os.path.getsize(path)
    return total


def table(bench, pattern, cells, rounds):
    out = [f"\n### {PATTERNS[pattern]}", ""]
    def m(c, f):
        return bench.median(c, rounds, f)
    cells = [c for c in cells if bench.good(c)]
    if pattern == "size":
        return out + ["| impl | KiB |", "|---|---|"] + [f"| {c['impl']} | {m(c, lambda r: r['program_kib']):.0f} |" for c in cells]
    if pattern == "light":
        out += ["| impl | peers | KiB RSS per peer | CPU us a message | threads |", "|---|---|---|---|---|"]
        return out + [f"| {c['impl']} | {c['subs']} | {m(c, lambda r: r['kb_per_peer']):.1f} | "
                      f"{m(c, lambda r: (r['cpu_user_s'] + r['cpu_sys_s']) / (LIGHT * c['subs']) * 1e6):.1f} | "
                      f"{m(c, lambda r: r['threads']):.0f} |" for c in cells]
    out += ["| impl | transport | from exec | least | from connect | least | sender's memory, MiB |", "|---|---|---|---|---|---|---|"]
    def least(c, f):
        return min(f(r) for r in bench.good(c))
    return out + [f"| {c['impl']} | {c['transport']} | {m(c, start):.2f} | {least(c, start):.2f} | {m(c, connect):.2f} | "
                  f"{least(c, connect):.2f} | {m(c, lambda r: r['sender']['max_rss_kb'] / 1024):.1f} |" for c in cells]


def start(r):
    return r["start_ms"]


def connect(r):
    return r["connect_ms"]


def line(c, bench, rounds):
    shown = {"size": lambda r: r["program_kib"], "light": lambda r: r["kb_per_peer"], "start": start}[c["pattern"]]
    value = bench.median(c, rounds, shown)
    return f"{c['impl']} " + (f"{value:.1f}" if value is not None else "-")
