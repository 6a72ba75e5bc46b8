"""The cells of the public scoreboard zmq-arena, by this driver: PUSH/PULL, REQ/REP, PUB to 32 subscribers, four senders to
one receiver and one sender to four receivers, over tcp and ipc, at its sizes. Messages are numbered, each is a fresh
buffer, and receivers check the numbers. Beside the implementations of ZeroMQ: yardsticks, what else a program could
take, whose peers are in `peers/`, too."""

import time

SIZES = "16,64,256,1024,4096,16384"
SUBSCRIBERS = 32
FAN = 4
PATTERNS = {
    "arena-thr": "PUSH/PULL, numbered messages, msg/s",
    "arena-lat": "REQ/REP, numbered messages, round trip, us",
    "arena-pub": "PUB/SUB, numbered messages, total deliveries/s",
    "arena-in": "Four PUSH processes to one PULL, numbered messages, msg/s",
    "arena-out": "One PUSH to four PULL processes, numbered messages, msg/s",
}
# What the yardsticks can be compared in, over tcp.
YARDSTICKS = dict.fromkeys(("nats", "tonic", "zenoh"), ("arena-thr", "arena-lat", "arena-pub"))
# Those whose peers are both clients of a server, which the driver starts. Of the others one binds, as usual.
SERVED = ("nats",)
NUMBERED = ["--sequence"]


def rows(opt, pattern, impls):
    more = {"arena-pub": {"subs": SUBSCRIBERS}, "arena-in": {"subs": FAN}, "arena-out": {"subs": FAN}}.get(pattern, {})
    transports = ["tcp"] if pattern == "arena-pub" else opt.transports.split(",")
    return [[dict(pattern=pattern, transport=transport, size=int(size), impl=impl, **more) for impl in impls]
            for transport in transports for size in opt.arena_sizes.split(",")]


def cell(bench, opt, cell, count, tmp):
    pattern, impl, transport, size = cell["pattern"], cell["impl"], cell["transport"], cell["size"]
    if pattern == "arena-thr":
        result = bench.cell_thr(opt, impl, impl, transport, size, count, tmp, None, NUMBERED)
    elif pattern == "arena-lat":
        return bench.cell_lat(opt, impl, impl, transport, size, count, tmp, NUMBERED)
    elif pattern == "arena-pub":
        return bench.cell_pub(opt, impl, impl, transport, size, count, tmp, cell["subs"], None, NUMBERED)
    elif pattern == "arena-in":
        result = fan_in(bench, opt, impl, transport, size, count, tmp)
    else:
        return fan_out(bench, opt, impl, transport, size, count, tmp)
    if result["gaps"]:
        raise bench.Failure(f"{result['gaps']} messages are missing")
    return result


def fan_in(bench, opt, impl, transport, size, count, tmp):
    """The receiver's clock starts once it has heard of all."""
    warm_up, procs, place = max(1, count // 10), [], bench.endpoint(transport, tmp)
    deadline = time.monotonic() + opt.limit
    try:
        receiver = bench.Proc(bench.common_args(opt, impl, "pull", size, count, warm_up, NUMBERED + ["--peers", str(FAN)])
                              + ["--bind", place], opt.limit, 0)
        procs.append(receiver)
        receiver.want("READY", deadline)
        for sender in range(FAN):
            more = NUMBERED + ["--endless", "--sender", str(sender), "--connect", place]
            procs.append(bench.Proc(bench.common_args(opt, impl, "push", size, count, 1, more), opt.limit, 1))
        return receiver.json(deadline)
    finally:
        for proc in reversed(procs):
            proc.end(2.0)


def fan_out(bench, opt, impl, transport, size, count, tmp):
    """Each receiver measures its own share, while all of them receive."""
    share, procs, place = max(50, count // FAN), [], bench.endpoint(transport, tmp)
    deadline = time.monotonic() + opt.limit
    try:
        sender = bench.Proc(bench.common_args(opt, impl, "push", size, count, 1,
                                              NUMBERED + ["--endless", "--probe", "--peers", str(FAN), "--bind", place]),
                            opt.limit, 1)
        procs.append(sender)
        sender.want("READY", deadline)
        more = NUMBERED + ["--endless", "--probe", "--connect", place]
        receivers = [bench.Proc(bench.common_args(opt, impl, "pull", size, share, max(1, share // 5), more), opt.limit, 0)
                     for _ in range(FAN)]
        procs += receivers
        for receiver in receivers:
            receiver.want("READY", deadline)
        sender.say("GO\n")
        told = [receiver.json(deadline) for receiver in receivers]
    finally:
        for proc in procs:
            proc.eof()
        for proc in procs:
            proc.end(2.0)
    rates = [one["msgs_per_s"] for one in told]
    return told[0] | {"count": share * FAN, "seconds": max(one["seconds"] for one in told), "msgs_per_s": sum(rates),
                      "fairness": min(rates) / max(rates)}
