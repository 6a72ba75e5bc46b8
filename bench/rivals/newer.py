"""What bench.py measures of raw TCP, datagrams, WebSocket, the newer socket types and the requester: each pattern is one
table, whose columns differ in one side of a connection; the other side is the same. The first column is what the others are
compared with."""

OURS = "purezmq"
DRAFTS = "drafts"


class Column:
    """One pair of processes: `bound` and `connected` are an implementation and a role each."""

    def __init__(self, name, bound, connected, transport="tcp", reports="connected"):
        self.name, self.bound, self.connected = name, bound, connected
        self.transport, self.reports = transport, reports

    def impls(self):
        return {self.bound[0], self.connected[0]}


class Pattern:
    """`under_way`: messages that the connecting side keeps under way; a pipe holds 1,000. `bounds`: what the ratio of a column has to be, at
    least, by its name."""

    def __init__(self, title, sizes, columns, under_way=1000, bounds=None):
        self.title, self.sizes, self.columns = title, sizes, columns
        self.under_way, self.bounds = under_way, bounds or {}

    def column(self, name):
        return next(c for c in self.columns if c.name == name)


def both(impl, bound, connected):
    return (impl, bound), (impl, connected)


PATTERNS = {
    "stream": Pattern(
        "STREAM: echo of pieces from a plain TCP program, pieces/s", [64, 1024, 4096, 65536],
        [Column("tokio's TcpStream", (OURS, "echo-tcp"), (OURS, "echoed-tcp")),
         Column("STREAM", (OURS, "echo-stream"), (OURS, "echoed-tcp")),
         Column("libzmq's STREAM", (DRAFTS, "echo-stream"), (OURS, "echoed-tcp"))],
        bounds={"STREAM": 0.8}),
    "single": Pattern(
        "CLIENT and SERVER: echo of messages from one task, 500 under way, messages/s", [16, 64, 1024, 4096],
        [Column("DEALER/ROUTER", *both(OURS, "echo-router", "echoed-dealer")),
         Column("CLIENT/SERVER", *both(OURS, "echo-server", "echoed-client")),
         Column("libzmq's DEALER/ROUTER", *both(DRAFTS, "echo-router", "echoed-dealer")),
         Column("libzmq's CLIENT/SERVER", *both(DRAFTS, "echo-server", "echoed-client"))],
        # A ROUTER of libzmq's drops what has no room, and a thousand is just what there is room for.
        under_way=500, bounds={"CLIENT/SERVER": 0.95}),
    "requester": Pattern(
        "Requests, 1,000 under way, answered by one ROUTER, requests/s", [16, 64, 1024],
        [Column("DEALER by hand", *both(OURS, "ask-router", "ask-dealer")),
         Column("Requester", *both(OURS, "ask-router", "ask-requester"))],
        bounds={"Requester": 0.7}),
    "ws": Pattern(
        "PUSH/PULL over WebSocket, messages/s", [64, 1024, 65536],
        [Column("tcp", *both(OURS, "pull", "push"), reports="bound"),
         Column("ws", *both(OURS, "pull", "push"), transport="ws", reports="bound")]),
    "dgram": Pattern(
        "DGRAM: echo of datagrams from a plain UDP program, 32 under way, datagrams/s", [64, 1024, 4096],
        [Column("sendto", (OURS, "echo-udp"), (OURS, "echoed-udp"), transport="udp"),
         Column("DGRAM", (OURS, "echo-dgram"), (OURS, "echoed-udp"), transport="udp"),
         Column("libzmq's DGRAM", (DRAFTS, "echo-dgram"), (OURS, "echoed-udp"), transport="udp")],
        # So much fits into a socket's buffer of the usual size: nothing is lost.
        under_way=32, bounds={"DGRAM": 0.7}),
}


def row(pattern, size, can_run):
    """The cells of one row: those columns whose programs are there."""
    return [dict(pattern=pattern, transport="newer", size=size, impl=column.name)
            for column in PATTERNS[pattern].columns if all(can_run(impl) for impl in column.impls())]


def cell(bench, opt, pattern, size, name, count, tmp):
    """Measures one cell."""
    pattern = PATTERNS[pattern]
    column = pattern.column(name)
    warm_up = max(1, count // 10)
    more = ["--peers", str(pattern.under_way)]

    def program(side):
        impl, role = side
        return bench.common_args(opt, impl, role, size, count, warm_up, more)

    pair = bench.two(opt, opt.limit, tmp, column.transport, program(column.bound), program(column.connected))
    bound, connected, deadline = next(pair)
    try:
        if column.reports == "bound":
            result = bound.json(deadline)
            connected.eof()
            result["sender"] = connected.json(deadline, "the sender's line")
        else:
            result = connected.json(deadline)
            bound.eof()
        return result
    finally:
        pair.close()


def table(pattern, cells, human, median):
    """The rows of one pattern, with ratios to its first column."""
    pattern = PATTERNS[pattern]
    names = [c.name for c in pattern.columns if any(cell["impl"] == c.name for cell in cells)]
    out = [f"\n### {pattern.title}\n", "| bytes | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for size in dict.fromkeys(cell["size"] for cell in cells):
        rates = {cell["impl"]: median(cell) for cell in cells if cell["size"] == size}
        base, line = rates.get(pattern.columns[0].name), [str(size)]
        for name in names:
            rate = rates.get(name)
            if rate is None:
                line.append("failed" if name in rates else "-")
                continue
            ratio = f" ({rate / base:.2f}x)" if base and name != pattern.columns[0].name else ""
            line.append(human(rate) + ratio)
        out.append("| " + " | ".join(line) + " |")
    bounds = ", ".join(f"{name} {least} times the first column" for name, least in pattern.bounds.items())
    return out + ([f"\nAt least: {bounds}."] if bounds else [])
