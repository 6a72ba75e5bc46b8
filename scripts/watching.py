# See scripts/watching. The processor time of the watched process is what the system says of a child that has ended (getrusage
# by wait4); that of the thread that answers, what it says of itself. The viewers are real ones: `pzmq top` on a pseudo-terminal,
# and a page's WebSocket, which asks what the page asks.
#
# What a message costs a process depends on how many come at once, and so on what else the machine does: of two turns in which
# nobody looks, one may cost twice what the other does. So the viewers are always there, and always see as many peers. In one
# turn of a pair they look at the process that is measured; in the other one at a process that rests. What is compared is the
# two turns of a pair. The watched process has a core of its own, where there are two.
import base64, json, os, pty, resource, signal, socket, statistics, subprocess, sys, threading, time

watched_by, pzmq, *rest = sys.argv[1:]
peers, rate, seconds, pairs = (int(one) for one in rest + ["1000", "50", "5", "9"][len(rest):])
# What looking may cost, of the processor time of the process that is looked at.
LIMIT = 0.02
# A turn that has not ended so long after it should have has hung.
PATIENCE = 120

# Each peer is a connection, and of the process that rests each is two.
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
cores = sorted(os.sched_getaffinity(0))
its_core, others = ({cores[0]}, set(cores[1:])) if len(cores) > 1 else (set(cores), set(cores))


def too_late(*_):
    sys.exit(f"FAILED: a turn has not ended {PATIENCE} s after it should have")


signal.signal(signal.SIGALRM, too_late)


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


def drain(file):
    try:
        while os.read(file, 65536):
            pass
    except OSError:
        pass


def page(url, question):
    host = url.removeprefix("http://").rstrip("/")
    address, port = host.rsplit(":", 1)
    stream = socket.create_connection((address, int(port)))
    key = base64.b64encode(os.urandom(16)).decode()
    stream.sendall(f"GET /live HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
                   f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
    text = question.encode()
    stream.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
    heard = stream.recv(64)
    assert heard.startswith(b"HTTP/1.1 101"), heard
    threading.Thread(target=drain, args=(stream.fileno(),), daemon=True).start()
    return stream


def turn(question, resting):
    """What is looked at: all sockets, or the 1,000 peers of one; of the process that is measured, or of the one that rests."""
    signal.alarm(seconds + PATIENCE)
    exposed = f"ipc:///tmp/watching-{os.getpid()}"
    with Processes() as started:
        watched = started.start(watched_by, "receive", str(peers), str(seconds), exposed, on=its_core,
                                stdout=subprocess.PIPE, text=True)
        endpoint = watched.stdout.readline().strip()
        started.start(watched_by, "send", str(peers), str(rate), endpoint)
        if watched.stdout.readline() != "all are there\n":
            sys.exit(f"FAILED: {peers} peers could not all come in")
        at = resting or exposed
        web = started.start(pzmq, "web", at, "--listen", "127.0.0.1:0", stdout=subprocess.PIPE, text=True)
        stream = page(web.stdout.readline().strip(), question)
        terminal, inside = pty.openpty()
        threading.Thread(target=drain, args=(terminal,), daemon=True).start()
        number = question.removeprefix("socket ")
        which = ["--socket", number] if number != question else []
        started.start(pzmq, "top", at, *which, stdin=inside, stdout=inside, stderr=inside)
        os.close(inside)
        time.sleep(seconds / 2)
        if ended := started.ended():
            sys.exit(f"FAILED: ended before it was to: {', '.join(ended)}")
        said = watched.stdout.readline().split()
        _, status, used = os.wait4(watched.pid, 0)
        watched.returncode = os.waitstatus_to_exitcode(status)
        stream.close()
        if watched.returncode or len(said) != 2:
            sys.exit(f"FAILED: the process that is looked at has ended with {watched.returncode}")
    signal.alarm(0)
    received, answering = int(said[0]), float(said[1])
    whole = used.ru_utime + used.ru_stime
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
