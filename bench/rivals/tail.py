"""Latency under load: messages that are due at a fixed rate, and how long after its time each one was received.

A message is dated when it was due, not when it was sent: whatever held the sender up counts for each message that waited
behind it (no coordinated omission). Sender and receiver share a clock, since they are on one machine. Each
implementation is measured at the same rates, and at a share of its own maximum, which is measured first with the same
messages; rates above that share are left out. A sender that waits does so by the same timerfd in each implementation;
`raw`, one write for each message over std sockets, shows what that and the kernel take."""

PATTERNS = {
    "tail": "Latency of PUSH/PULL at fixed rates, us from the time at which a message was due until it was received",
    "tail-pub": "Latency of PUB to 64 subscribers at fixed rates, us from the time at which a message was due until a "
                "subscriber had received it",
}
SHARE = 0.8
OF_MAXIMUM = f"{SHARE:.0%} of its maximum"
RATES = {"tail": [1_000, 10_000, 100_000, 1_000_000], "tail-pub": [1_000, 10_000]}
SUBSCRIBERS = 64
QUANTILES = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)]
# Bytes of each message.
SIZE = 64


def rows(opt, pattern, impls):
    found = []
    for transport in (["tcp"] if pattern == "tail-pub" else opt.tail_transports.split(",")):
        for rate in RATES[pattern] + [OF_MAXIMUM]:
            more = {"subs": SUBSCRIBERS} if pattern == "tail-pub" else {}
            found.append([dict(pattern=pattern, transport=transport, size=SIZE, rate=rate, impl=impl, **more) for impl in impls])
    return found


def one(bench, opt, cell, count, warm_up, extra, tmp):
    impl, transport = cell["impl"], cell["transport"]
    if cell["pattern"] == "tail":
        return bench.cell_thr(opt, impl, impl, transport, SIZE, count, tmp, warm_up, extra)
    return bench.cell_pub(opt, impl, impl, transport, SIZE, count, tmp, cell["subs"], warm_up, extra)


def maximum(bench, opt, cell, tmp):
    """Messages a second that the sender gets through, of the same numbered messages; measured once in a run."""
    key = (cell["pattern"], cell["transport"], cell["impl"])
    if key not in opt.maxima:
        crowd = cell.get("subs", 1)
        count, found = max(2_000, 100_000 // crowd), []
        for _ in range(4):
            result = one(bench, opt, cell, count, count // 10, ["--sequence"], tmp)
            found.append(result["msgs_per_s"] / crowd)
            count = max(1_000, int(found[-1] * 0.3))
        # The first run only says how many messages take how long.
        opt.maxima[key] = sorted(found[1:])[1]
    return opt.maxima[key]


def cell(bench, opt, cell, _, tmp):
    most = maximum(bench, opt, cell, tmp)
    rate = cell["rate"] if isinstance(cell["rate"], int) else int(most * SHARE)
    if rate > most * SHARE:
        raise bench.LeftOut(f"{rate} messages/s are more than {OF_MAXIMUM}, {bench.human(most)}/s")
    count = max(100, int(rate * opt.seconds))
    result = one(bench, opt, cell, count, max(1, count // 5), ["--rate", str(rate)], tmp)
    result["rate"] = rate
    return result


def merged(results):
    """Percentiles of several runs together, in us; takes the histograms away."""
    counts = {}
    for result in results:
        for nanos, times in result.get("histogram", ()):
            counts[nanos] = counts.get(nanos, 0) + times
    total = sum(counts.values())
    found, seen, steps = {}, 0, iter(sorted(counts.items()))
    nanos = 0
    for name, quantile in QUANTILES:
        while seen < quantile * total:
            nanos, times = next(steps)
            seen += times
        found[name] = nanos / 1e3
    return found | {"count": total} if total else None


def table(bench, pattern, cells, rounds):
    out = [f"\n### {PATTERNS[pattern]}", "", f"{SIZE} bytes; all rounds together.", "",
           "| messages/s | impl | " + " | ".join(name for name, _ in QUANTILES) + " | received/s |",
           "|---" * (len(QUANTILES) + 3) + "|"]
    for c in cells:
        told = c.get("merged")
        if not told or not bench.good(c):
            continue
        rate = bench.median(c, rounds, lambda r: r["rate"])
        got = bench.median(c, rounds, bench.rate) / c.get("subs", 1)
        asked = bench.human(rate) if isinstance(c["rate"], int) else f"{OF_MAXIMUM}: {bench.human(rate)}"
        # Whoever does not keep up has a latency without bounds.
        late = " (does not keep up)" if got < 0.95 * rate else ""
        out.append(f"| {asked} | {c['impl']} | " + " | ".join(micros(told[name]) for name, _ in QUANTILES)
                   + f" | {bench.human(got)}{late} |")
    return out


def micros(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def line(c, bench, rounds):
    told = c.get("merged")
    return f"{c['impl']} " + (f"{micros(told['p50'])}/{micros(told['p99'])}/{micros(told['max'])}" if told else "-")
