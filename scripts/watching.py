# See scripts/watching. The processor time of the watched process, and of its thread that answers, is what it says of the time in
# which it counts messages: from when its peers are there and both viewers show them. The viewers are real ones: `pzmq top` on a
# pseudo-terminal, and a page's WebSocket, which asks what the page asks. Who sees nothing costs nothing: so both have to show
# the process and its peers, before and after, and to have heard of it meanwhile.
#
# What a message costs a process depends on how many come at once, and so on what else the machine does: of two turns in which
# nobody looks, one may cost twice what the other does. So the viewers are always there, and always see as many peers. In one
# turn of a pair they look at the process that is measured; in the other one at a process that rests. What is compared is the
# two turns of a pair. The watched process has a core of its own, where there are two.
import base64, fcntl, json, os, pty, re, resource, signal, socket, statistics, struct, subprocess, sys, termios, threading, time

watched_by, pzmq, *rest = sys.argv[1:]
peers, rate, seconds, pairs = (int(one) for one in rest + ["1000", "50", "5", "7"][len(rest):])
# What looking may cost, of the processor time of the process that is looked at.
LIMIT = 0.02
# How long a viewer may take to show what there is, and how old that may be: it looks once a second.
PATIENCE, OLDEST = 30, 3
# How long a turn takes, with all that has to be started: less than 6 minutes for all of them, by default.
A_TURN = seconds + 7

# Each peer is a connection, and of the process that rests each is two.
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
cores = sorted(os.sched_getaffinity(0))
its_core, others = ({cores[0]}, set(cores[1:])) if len(cores) > 1 else (set(cores), set(cores))


def too_late(*_):
    sys.exit(f"FAILED: not done after {4 * pairs * A_TURN} s: something hangs, or the machine has other work")


signal.signal(signal.SIGALRM, too_late)
signal.alarm(4 * pairs * A_TURN)


class Processes:
    """Those that were started, and are ended at the end."""

    def __init__(self):
        self.all = []

    def start(self, *command, on=others, **more):
        self.all.append(subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, on), **more))
        return self.all[-1]

    def ended(self):
        return [one.args[1] for one in self.all if one.poll() is not None]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.all:
            if one.poll() is None:
                one.kill()
                one.wait()


class Viewer:
    """What it was told, or shows: read by a thread, as it comes."""

    def __init__(self, name, read):
        self.name, self.read, self.heard, self.has_ended = name, read, bytearray(), False
        threading.Thread(target=self.drain, daemon=True).start()

    def drain(self):
        try:
            while some := self.read():
                self.heard += some
        except OSError:
            pass
        self.has_ended = True

    def wait_for(self, find, what):
        """Returns what is found first in what is heard from now on, or from the beginning."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := find():
                return found
            if self.has_ended:
                break
            time.sleep(0.02)
        sys.exit(f"FAILED: {self.name} does not show {what}; the last that it said: {bytes(self.heard[-300:])}")


class Page(Viewer):
    """The WebSocket of a page."""

    def __init__(self, url, question):
        host = url.removeprefix("http://").rstrip("/")
        address, port = host.rsplit(":", 1)
        self.stream = socket.create_connection((address, int(port)))
        key = base64.b64encode(os.urandom(16)).decode()
        self.stream.sendall(f"GET /live HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
                            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        text = question.encode()
        self.stream.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
        super().__init__("pzmq web", lambda: self.stream.recv(65536))

    def answers(self):
        """Returns what it was told so far."""
        heard = bytes(self.heard)
        at = heard.find(b"\r\n\r\n") + 4
        if at < 4:
            return []
        if not heard.startswith(b"HTTP/1.1 101"):
            sys.exit(f"FAILED: pzmq web says {heard[:100]}")
        found = []
        while len(heard) >= at + 2:
            length, at = heard[at + 1], at + 2
            if wide := {126: 2, 127: 8}.get(length, 0):
                length, at = int.from_bytes(heard[at:at + wide], "big"), at + wide
            if len(heard) < at + length:
                break
            found.append(json.loads(heard[at:at + length]))
            at += length
        return found

    def seen(self, process):
        """Returns how many answers of the process tell of all peers."""
        answers = self.answers()
        if wrong := [one for one in answers if "error" in one or one["process"]["id"] != process]:
            sys.exit(f"FAILED: pzmq web tells the page {str(wrong[0])[:300]}")
        return sum(any(one["peers"] == peers for one in answer["sockets"]) for answer in answers)


class Top(Viewer):
    """`pzmq top`, and what it draws on its terminal."""

    def __init__(self, started, at, question):
        self.terminal, inside = pty.openpty()
        self.resize()
        number = question.removeprefix("socket ")
        which = ["--socket", number] if number != question else []
        self.process = started.start(pzmq, "top", at, *which, stdin=inside, stdout=inside, stderr=inside)
        os.close(inside)
        super().__init__("pzmq top", lambda: os.read(self.terminal, 65536))

    def resize(self):
        self.columns = 181 if getattr(self, "columns", 0) == 180 else 180
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, self.columns, 0, 0))

    def up(self, process):
        """Returns how long the process is up by what is shown of it and of all its peers."""
        # A terminal of another size is drawn anew, and whole. What is shown later is drawn in part.
        before = len(self.heard)
        self.resize()
        self.process.send_signal(signal.SIGWINCH)
        shown = re.compile(rf"watched \({process}\) .* up (\d+) s .*?\b(\d+) peers")

        def find():
            text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", " ", self.heard[before:].decode(errors="replace"))
            found = shown.search(re.sub(r"\s+", " ", text))
            # Of all sockets, there are those who look as well.
            return found if found and int(found[2]) >= peers else None

        return int(self.wait_for(find, f"process {process} and its {peers} peers")[1])


def turn(question, resting):
    """What is looked at: all sockets, or the 1,000 peers of one; of the process that is measured, or of the one that rests."""
    exposed = f"ipc:///tmp/watching-{os.getpid()}"
    with Processes() as started:
        watched = started.start(watched_by, "receive", str(peers), str(seconds), exposed, on=its_core,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        endpoint = watched.stdout.readline().strip()
        started.start(watched_by, "send", str(peers), str(rate), endpoint)
        if watched.stdout.readline() != "all are there\n":
            sys.exit(f"FAILED: {peers} peers could not all come in")
        at, seen = (resting, rests.pid) if resting else (exposed, watched.pid)
        web = started.start(pzmq, "web", at, "--listen", "127.0.0.1:0", stdout=subprocess.PIPE, text=True)
        page = Page(web.stdout.readline().strip(), question)
        top = Top(started, at, question)
        page.wait_for(lambda: page.seen(seen), f"process {seen} and its {peers} peers")
        up, told = top.up(seen), page.seen(seen)
        watched.stdin.write("begin\n")
        watched.stdin.flush()
        said = watched.stdout.readline().split()
        up, told = top.up(seen) - up, page.seen(seen) - told
        if ended := started.ended():
            sys.exit(f"FAILED: ended before it was to: {', '.join(ended)}")
        if len(said) != 3:
            sys.exit("FAILED: the process that is looked at has not said what that has cost")
        for name, saw in [("pzmq top", up), ("pzmq web", told)]:
            if saw < max(seconds - OLDEST, 1):
                sys.exit(f"FAILED: {name} has seen {saw} of {seconds} s")
        page.stream.close()
        watched.stdin.close()
        if watched.wait():
            sys.exit(f"FAILED: the process that is looked at has ended with {watched.returncode}")
    os.close(top.terminal)
    received, whole, answering = int(said[0]), float(said[1]), float(said[2])
    if not (received > 0 and whole > answering > 0):
        sys.exit(f"FAILED: that cannot be what it has cost: {' '.join(said)}")
    return whole / received * 1e6, answering / whole, received / seconds


def verdict(question, found):
    """Says what a question has cost, and returns whether that is too much, and whether it may be."""
    beside, asked = zip(*found)
    costs = sorted(now[0] / before[0] - 1 for before, now in found)
    median, quarter = statistics.median(costs), costs[len(costs) // 4]
    share = statistics.median(now[1] for now in asked)
    was, cost = (statistics.median(one[0] for one in turns) for turns in (beside, asked))
    print(f"{question:10} {statistics.median(one[2] for one in asked):8.0f} messages/s, {cost:.3f} us of processor time each, "
          f"{was:.3f} when others are looked at: {median:+.1%}, pairs {costs[0]:+.1%} to {costs[-1]:+.1%}; "
          f"the thread that answers: {share:.2%} of all")
    # Three quarters of the pairs say so.
    return share >= LIMIT or quarter >= LIMIT, median >= LIMIT


failed = undecided = False
with Processes() as beside:
    resting = f"ipc:///tmp/watching-rest-{os.getpid()}"
    rests = beside.start(watched_by, "rest", str(peers), resting, stdout=subprocess.PIPE, text=True)
    if rests.stdout.readline() != "all are there\n":
        sys.exit(f"FAILED: {peers} peers could not all come in")
    print(f"{peers * rate} messages/s are to come from {peers} peers, in {pairs} pairs of turns of {seconds} s")
    for question in ["sockets", "socket 1"]:
        found = []
        for number in range(pairs):
            # Neither is always the second.
            order = [resting, None][::1 - 2 * (number % 2)]
            by = {at: turn(question, at) for at in order}
            found.append((by[resting], by[None]))
        is_too_much, may_be = verdict(question, found)
        failed |= is_too_much
        undecided |= may_be
if failed:
    sys.exit(f"FAILED: looking costs {LIMIT:.0%} or more")
if undecided:
    sys.exit(f"UNDECIDED: pairs of turns differ too much to tell {LIMIT:.0%}: let the machine be idle, and give it more")
print(f"ok: looking costs less than {LIMIT:.0%}")
