# See scripts/watching. The processor time of the watched process is what the system says of a child that has ended (getrusage
# by wait4); that of the thread that answers, what it says of itself. The viewers are real ones: `pzmq top` on a pseudo-terminal,
# and a page's WebSocket, which asks what the page asks.
import base64, json, os, pty, resource, signal, socket, statistics, subprocess, sys, threading, time

watched_by, pzmq, *rest = sys.argv[1:]
peers, rate, seconds, turns = (int(one) for one in rest + ["1000", "50", "10", "3"][len(rest):])
# What looking may cost, of the processor time of the process that is looked at.
LIMIT = 0.02
# A turn that has not ended so long after it should have has hung.
PATIENCE = 120

# Each peer is a connection.
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def too_late(*_):
    sys.exit(f"FAILED: a turn has not ended {PATIENCE} s after it should have")


signal.signal(signal.SIGALRM, too_late)


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


# What is looked at: nothing, all sockets, or the 1,000 peers of one.
def turn(question):
    started = []

    def start(*command, **more):
        started.append(subprocess.Popen(command, **more))
        return started[-1]

    signal.alarm(seconds + PATIENCE)
    try:
        exposed = f"ipc:///tmp/watching-{os.getpid()}"
        more = [exposed] if question else []
        watched = start(watched_by, "receive", str(peers), str(seconds), *more, stdout=subprocess.PIPE, text=True)
        endpoint = watched.stdout.readline().strip()
        start(watched_by, "send", str(peers), str(rate), endpoint)
        if watched.stdout.readline() != "all are there\n":
            sys.exit(f"FAILED: {peers} peers could not all come in")
        streams = []
        if question:
            web = start(pzmq, "web", exposed, "--listen", "127.0.0.1:0", stdout=subprocess.PIPE, text=True)
            streams.append(page(web.stdout.readline().strip(), question))
            terminal, inside = pty.openpty()
            threading.Thread(target=drain, args=(terminal,), daemon=True).start()
            number = question.removeprefix("socket ")
            which = ["--socket", number] if number != question else []
            start(pzmq, "top", exposed, *which, stdin=inside, stdout=inside, stderr=inside)
        time.sleep(seconds / 2)
        ended = [one.args[1] for one in started if one.poll() is not None]
        if ended:
            sys.exit(f"FAILED: ended before it was to: {', '.join(ended)}")
        said = watched.stdout.readline().split()
        _, status, used = os.wait4(watched.pid, 0)
        watched.returncode = os.waitstatus_to_exitcode(status)
        for stream in streams:
            stream.close()
        if watched.returncode or len(said) != 2:
            sys.exit(f"FAILED: the process that is looked at has ended with {watched.returncode}")
    finally:
        for one in started:
            if one.poll() is None:
                one.kill()
                one.wait()
        signal.alarm(0)
    received, answering = int(said[0]), float(said[1])
    whole = used.ru_utime + used.ru_stime
    return whole / received * 1e6, answering / whole, received / seconds


found = {}
for _ in range(turns):
    for question in ["", "sockets", "socket 1"]:
        found.setdefault(question, []).append(turn(question))
costs = [one[0] for one in found[""]]
alone = statistics.median(costs)
# By how much turns differ in which nobody looks: no difference below that says anything.
spread = (max(costs) - min(costs)) / alone
failed = undecided = False
for question, all in found.items():
    cost, share, pace = (statistics.median(one[at] for one in all) for at in range(3))
    more = cost / alone - 1
    print(f"{question or 'nobody looks':14} {pace:8.0f} messages/s  {cost:.3f} us of processor time a message "
          f"({100 * more:+.1f} %)  the thread that answers: {100 * share:.2f} % of all")
    failed |= share >= LIMIT or more >= LIMIT + spread
    undecided |= more >= LIMIT
asked = peers * rate
print(f"turns in which nobody looks differ by {100 * spread:.1f} %; {asked} messages/s were to come")
if failed:
    sys.exit(f"FAILED: looking costs {100 * LIMIT:.0f} % or more")
if undecided:
    sys.exit(f"UNDECIDED: turns differ too much to tell {100 * LIMIT:.0f} %: let the machine be idle, and give it more turns")
print(f"ok: looking costs less than {100 * LIMIT:.0f} %")
