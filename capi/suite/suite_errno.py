"""`scripts/suites errno`: every function with bad input, on both libraries side by side: results and errno are compared.

Each call is made in a process of its own (a fork of one that has the library loaded and has not used it yet), so that a
crash is one line of the table. calls.py says which calls. Rows are stored as data for the real library: `errno-release.json`,
`errno-draft.json`; a difference that is meant stands in `errno-meant.json` with its reason.
"""

import ctypes
import errno
import json
import os
import signal
import sys
import time

import calls
from build import Build
from common import Library, Trouble, call, read_data, run, say, write_data

# Where this thread's errno is, to clear it before a call.
_where = ctypes.CDLL(None).__errno_location
_where.restype = ctypes.POINTER(ctypes.c_int)
ERRNO = _where().contents
HAUSNUMERO = 156384712
OWN = {51: "EFSM", 52: "ENOCOMPATPROTO", 53: "ETERM", 54: "EMTHREAD"}
# Seconds for one call: the good ones return at once.
LIMIT = 4
DEALER, PAIR = 5, 0


def name_of(number):
    return OWN.get(number - HAUSNUMERO) or errno.errorcode.get(number, str(number))


class Bench:
    """A loaded library with the objects that calls want, made when they are wanted."""

    def __init__(self, lib, kind=DEALER):
        self.lib = lib
        self.kind = kind
        self.keep = []
        self.made = {}

    def room(self, size=4096, data=b"\0"):
        b = ctypes.create_string_buffer(data * size if len(data) == 1 else data, size)
        self.keep.append(b)
        return ctypes.addressof(b)

    def ctx(self):
        if "ctx" not in self.made:
            self.made["ctx"] = self.lib.zmq_ctx_new()
        return self.made["ctx"]

    def sock(self, kind=None):
        return self.lib.zmq_socket(ctypes.c_void_p(self.ctx()), self.kind if kind is None else kind)

    def message(self):
        m = self.room(64)
        self.lib.zmq_msg_init(ctypes.c_void_p(m))
        return m

    def value(self, kind, v):
        """Returns the argument that a value of calls.VALUES means."""
        if v is None:
            return ctypes.c_void_p(None)
        if isinstance(v, int):
            wide = {"msgsize": ctypes.c_size_t, "len": ctypes.c_size_t, "iovcount": ctypes.c_size_t,
                    "z85size": ctypes.c_size_t, "interval": ctypes.c_size_t, "zero": ctypes.c_long,
                    "optlen": ctypes.c_size_t, "routing": ctypes.c_uint32, "events64": ctypes.c_uint64,
                    "events": ctypes.c_short}
            return wide.get(kind, ctypes.c_int)(v)
        if kind in ("capability", "endpoint", "monitor", "metaname", "group", "z85text"):
            return ctypes.c_char_p(v.encode("latin-1"))
        if kind == "fd":
            return ctypes.c_int(os.pipe()[0])
        if kind == "fn":
            return ctypes.c_void_p(ctypes.cast(self.lib.zmq_sleep, ctypes.c_void_p).value)
        return ctypes.c_void_p(getattr(self, "_" + v.replace("-", "_"))())

    def _room(self): return self.room()
    def _raw(self): return self.room(64)
    def _zeros(self): return self.room()
    def _ones(self): return self.room(4096, b"\xff")
    def _text(self): return self.room(16, b"abcdefgh")
    def _ctx(self): return self.ctx()
    def _sock(self): return self.sock()
    def _msg(self): return self.message()

    def _terminated(self):
        c = self.lib.zmq_ctx_new()
        self.lib.zmq_ctx_term(ctypes.c_void_p(c))
        return c

    def _shutdown_ctx(self):
        c = self.lib.zmq_ctx_new()
        self.lib.zmq_ctx_shutdown(ctypes.c_void_p(c))
        return c

    def _closed_sock(self):
        s = self.sock()
        self.lib.zmq_close(ctypes.c_void_p(s))
        time.sleep(0.02)  # libzmq's reaper takes it: what a late call then meets
        return s

    def _terminating_sock(self):
        c = self.lib.zmq_ctx_new()
        s = self.lib.zmq_socket(ctypes.c_void_p(c), self.kind)
        self.lib.zmq_ctx_shutdown(ctypes.c_void_p(c))
        return s

    def _closed_msg(self):
        m = self.message()
        self.lib.zmq_msg_close(ctypes.c_void_p(m))
        return m

    def _iov(self):
        return self.room(16, ctypes.c_uint64(self.room(8, b"abcdefgh")).value.to_bytes(8, "little") +
                         (3).to_bytes(8, "little"))

    def _size(self, n): return self.room(8, n.to_bytes(8, "little"))
    def _one(self): return self._size(4)
    def _nought(self): return self._size(0)
    def _huge(self): return self._size(2**63)

    def _item(self, sock, fd, events=1):
        return self.room(16, (sock or 0).to_bytes(8, "little") + (fd & 0xffffffff).to_bytes(4, "little") +
                         events.to_bytes(2, "little") + b"\0\0")

    def _items(self): return self._item(self.sock(), 0)
    def _badfd_items(self): return self._item(0, 9999)
    def _zeros_items(self): return self._item(self.room(), 0)
    def _both_items(self): return self._item(self.sock(), 9999)
    def _closed_items(self): return self._item(self._closed_sock(), 0)
    def _counter(self): return self.lib.zmq_atomic_counter_new()
    def _timers(self): return self.lib.zmq_timers_new()
    def _poller(self): return self.lib.zmq_poller_new()
    def _null_handle(self): return self.room(8)
    def _zeros_handle(self): return self.room(8, self.room().to_bytes(8, "little"))


def loaded(path):
    lib = ctypes.CDLL(path, use_errno=False)
    for f in ("zmq_ctx_new", "zmq_socket", "zmq_atomic_counter_new", "zmq_timers_new", "zmq_poller_new"):
        if hasattr(lib, f):
            getattr(lib, f).restype = ctypes.c_void_p
    return lib


def functions(lib):
    """Yields (row, job) of every function with every value of every argument."""
    for name, signature in {**calls.FUNCTIONS, **calls.DRAFTS}.items():
        if not hasattr(lib, name):
            yield f"{name}", None
            continue
        returns, *kinds = signature.split()
        for at, kind in enumerate(kinds or [None]):
            for n, v in enumerate(calls.VALUES[kind] if kind else [None]):
                if at > 0 and n == 0:
                    continue  # all good: the first row has it
                values = [v if i == at else calls.VALUES[k][0] for i, k in enumerate(kinds)]
                yield f"{name}({', '.join(map(short, values))})", (
                    lambda name=name, returns=returns, kinds=kinds, values=values:
                    invoked(lib, name, returns, kinds, values))


def short(v):
    v = "NULL" if v is None else str(v)
    return v if len(v) <= 40 else f"{v[:12]}...{len(v)}"


def invoked(lib, name, returns, kinds, values):
    bench = Bench(lib)
    f = getattr(lib, name)
    arguments = [bench.value(k, v) for k, v in zip(kinds, values)]
    f.restype = {"i": ctypes.c_int, "u": ctypes.c_uint32, "p": ctypes.c_void_p, "s": ctypes.c_char_p, "v": None}[returns]
    ERRNO.value = 0
    got = f(*arguments)
    number = lib.zmq_errno()
    if returns == "v":
        return "done"
    if returns == "p":
        return "pointer" if got else f"NULL {name_of(number)}"
    if returns == "s":
        return f"NULL {name_of(number)}" if got is None else got.decode("latin-1")
    if returns == "i" and got == -1:
        return f"-1 {name_of(number)}"
    if name == "zmq_connect_peer" and got == 0:
        return f"0 {name_of(number)}"
    return "positive" if name in ("zmq_connect_peer",) else str(got)


def options(lib, kinds):
    """Yields (row, job) of every option by number on every socket type: one job gives the row of all values."""
    for option in calls.OPTIONS:
        for kind in kinds:
            yield f"set {option} {kind}", (lambda o=option, k=kind: sets(lib, o, k))
            yield f"get {option} {kind}", (lambda o=option, k=kind: gets(lib, o, k))


def sets(lib, option, kind):
    bench = Bench(lib, kind)
    for shape, v in calls.OPTION_VALUES:
        s = ctypes.c_void_p(bench.sock())
        if shape == "n":
            pointer, size = None, v
        else:
            data = v.to_bytes({"i": 4, "q": 8}[shape], "little", signed=True) if shape in "iq" else b"a" * v
            pointer, size = bench.room(max(len(data), 1), data or b"\0"), len(data)
        got = lib.zmq_setsockopt(s, ctypes.c_int(option), ctypes.c_void_p(pointer), ctypes.c_size_t(size))
        yield "0" if got == 0 else name_of(lib.zmq_errno())
        lib.zmq_close(s)


def gets(lib, option, kind):
    bench = Bench(lib, kind)
    for size in calls.GET_SIZES:
        s = ctypes.c_void_p(bench.sock())
        room, length = bench.room(2048, b"\xee"), bench.room(8, size.to_bytes(8, "little"))
        got = lib.zmq_getsockopt(s, ctypes.c_int(option), ctypes.c_void_p(room), ctypes.c_void_p(length))
        if got != 0:
            yield name_of(lib.zmq_errno())
        else:
            n = int.from_bytes(ctypes.string_at(length, 8), "little")
            yield str(n) + ("" if option in calls.VOLATILE else ":" + ctypes.string_at(room, min(n, 48)).hex())
        lib.zmq_close(s)
    s = ctypes.c_void_p(bench.sock())
    got = lib.zmq_getsockopt(s, ctypes.c_int(option), None, ctypes.c_void_p(bench.room(8, (4).to_bytes(8, "little"))))
    yield "NULL:" + ("0" if got == 0 else name_of(lib.zmq_errno()))


def forked(job):
    """Runs a job in a child. Returns its answers joined; a crash or a hang is the last of them."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 1)
            os.dup2(null, 2)
            os.close(read)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LIMIT)
            got = job()
            for answer in [got] if isinstance(got, str) else got:
                os.write(write, answer.encode() + b"\n")
            code = 0
        except BaseException as e:  # noqa: BLE001 - a child says what befell it, and never returns into the parent
            os.write(write, f"python: {e}\n".encode())
        finally:
            os._exit(code)
    os.close(write)
    data = b""
    while chunk := os.read(read, 65536):
        data += chunk
    os.close(read)
    _, status = os.waitpid(pid, 0)
    answers = data.decode().splitlines()
    if os.WIFSIGNALED(status):
        answers.append("hang" if os.WTERMSIG(status) == signal.SIGALRM else "crash " +
                       signal.Signals(os.WTERMSIG(status)).name)
    return " ".join(answers) if len(answers) != 1 else answers[0]


def whole(path, kinds, names):
    """Returns the table of a library: {row: answer}. Runs in a process of its own, this one again."""
    lib = loaded(path)
    rows = {}
    for row, job in [*functions(lib), *options(lib, kinds)]:
        if names and not any(n in row for n in names):
            continue
        rows[row] = "absent" if job is None else forked(job)
    return rows


def packed(rows):
    """Returns the table smaller: types of sockets that answer alike in one row."""
    out, groups = {}, {}
    for row, answer in rows.items():
        first = row.split(" ")
        if first[0] in ("set", "get") and len(first) == 3:
            groups.setdefault((first[0], first[1], answer), []).append(first[2])
        else:
            out[row] = answer
    for (what, option, answer), kinds in groups.items():
        out[f"{what} {option} {','.join(kinds)}"] = answer
    return out


def unpacked(rows):
    out = {}
    for row, answer in rows.items():
        first = row.split(" ")
        if first[0] in ("set", "get") and len(first) == 3:
            out.update({f"{first[0]} {first[1]} {k}": answer for k in first[2].split(",")})
        else:
            out[row] = answer
    return out


def ended(answer):
    """Returns whether a call crashed or hung."""
    return "crash" in answer or answer.endswith("hang")


def judged(ours, real, meant):
    """Returns differences as {row: (ours, real)}, how many are meant, and how many the real library leaves open."""
    differ, explained, opened = {}, 0, 0
    for row, r in real.items():
        o = ours.get(row)
        if o is None or o == r:
            continue
        if ended(r):
            # What libzmq dies of may be any errno here, but what it answered before counts.
            before = r.split(" ")[:-2 if "crash" in r else -1]
            if not ended(o) and o.split(" ")[:len(before)] == before:
                opened += 1
                continue
        reason = next((m for m in meant if row == m or (m.endswith("*") and row.startswith(m[:-1]))), None)
        if reason and not ended(o):
            explained += 1
            continue
        differ[row] = (o, r)
    return differ, explained, opened


def pinpoint(row, o, r):
    """Returns which answers of an option's row differ, in words."""
    first = row.split(" ")
    if first[0] not in ("set", "get") or len(first) != 3:
        return f"{o}  |  libzmq: {r}"
    labels = [f"{ {'i': 'int', 'q': 'int64', 'b': 'bytes', 'n': 'NULL'}[s]} {v}" for s, v in calls.OPTION_VALUES] \
        if first[0] == "set" else [f"size {s}" for s in calls.GET_SIZES] + ["NULL"]
    a, b = o.split(" "), r.split(" ")
    out = [f"{labels[i]}: {a[i] if i < len(a) else '-'} | {b[i] if i < len(b) else '-'}"
           for i in range(max(len(a), len(b))) if i < len(labels) and a[i:i + 1] != b[i:i + 1]]
    return "; ".join(out[:6]) + (f"; and {len(out) - 6} more" if len(out) > 6 else "")


def made(path, kinds, names):
    with Library(path, path) as library:
        argv = [sys.executable, os.path.abspath(__file__), library.file, json.dumps(kinds), json.dumps(names)]
        code, out, _ = run(argv, 900, library.env(), library.folder)
        if code != 0:
            raise Trouble(out[-3000:])
        return json.loads(out[out.rindex("\n{") if "\n{" in out else 0:])


def main(options):
    kind = "draft" if options.variant == "draft" else "release"
    if options.library:
        with Library(options.library, "") as library:
            kind = "draft" if call([sys.executable, "-c", "import ctypes,sys; sys.exit(print(ctypes.CDLL(sys.argv[1])"
                                    ".zmq_has(b'draft')))", library.file]).strip() == "1" else "release"
    kinds = list(range(21 if kind == "draft" else 12))
    stored = read_data(f"errno-{kind}.json")
    if options.both or options.baseline or not options.library or not stored:
        real = made(Build(kind, options.jobs).library(), kinds, options.names)
        if options.baseline:
            write_data(f"errno-{kind}.json", {"library": "libzmq 4.3.5", "rows": packed(real)})
    else:
        real = unpacked(stored["rows"])
    died = sum(ended(a) for a in real.values())
    say(f"libzmq 4.3.5 ({kind}): {len(real)} rows; {died} end with a crash or a hang")
    if not options.library:
        if not stored:
            return 0
        ours, name = real, "real library, again"
        real = unpacked(stored["rows"])
    else:
        ours, name = made(options.library, kinds, options.names), "here"
    meant = read_data("errno-meant.json") or {}
    if kind == "draft":  # there the types exist in both
        meant = {row: why for row, why in meant.items() if not row.startswith("zmq_socket(")}
    differ, explained, opened = judged(ours, real, meant)
    crashed = {r: a for r, a in ours.items() if ended(a)} if options.library else {}
    shown = {}
    for row, (o, r) in differ.items():
        first = row.split(" ")
        key = (first[0], first[1], o, r) if first[0] in ("set", "get") else (row,)
        shown.setdefault(key, []).append(row)
    for key, rows in shown.items():
        o, r = differ[rows[0]]
        label = rows[0] if len(key) == 1 else f"{key[0]} {key[1]} {','.join(x.split(' ')[2] for x in rows)}"
        say(f"DIFFERS {label}: {pinpoint(rows[0], o, r)}")
    for row in crashed:
        if row not in differ:
            say(f"CRASH {row}: {crashed[row]}")
    say(f"{name}: {len(ours)} rows, {len(differ)} differ, {explained} differ as meant, {opened} where libzmq itself ends; "
        f"{len(crashed)} crash or hang here")
    return int(bool(differ or crashed))


if __name__ == "__main__":
    print("\n" + json.dumps(whole(sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3]))))
