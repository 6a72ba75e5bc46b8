# See scripts/watching. The processor time of the watched process is what the system says of a child that has ended (getrusage
# by wait4); that of the thread that answers, what it says of itself. The viewers are real ones: `pzmq top` on a pseudo-terminal,
# and a page's WebSocket, which asks what the page asks.
import base64, json, os, pty, socket, statistics, subprocess, sys, threading, time

watched_by, pzmq, *rest = sys.argv[1:]
peers, rate, seconds, turns = (int(one) for one in rest + ["1000", "50", "10", "3"][len(rest):])


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
    exposed = f"ipc:///tmp/watching-{os.getpid()}"
    more = [exposed] if question else []
    watched = subprocess.Popen([watched_by, "receive", str(peers), str(seconds), *more],
                               stdout=subprocess.PIPE, text=True)
    endpoint = watched.stdout.readline().strip()
    others = [subprocess.Popen([watched_by, "send", str(peers), str(rate), endpoint])]
    assert watched.stdout.readline() == "all are there\n"
    streams = []
    if question:
        web = subprocess.Popen([pzmq, "web", exposed, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        others.append(web)
        streams.append(page(web.stdout.readline().strip(), question))
        terminal, inside = pty.openpty()
        threading.Thread(target=drain, args=(terminal,), daemon=True).start()
        number = question.removeprefix("socket ")
        which = ["--socket", number] if number != question else []
        others.append(subprocess.Popen([pzmq, "top", exposed, *which], stdin=inside, stdout=inside, stderr=inside))
    said = watched.stdout.readline().split()
    _, _, used = os.wait4(watched.pid, 0)
    for one in others:
        one.kill()
        one.wait()
    received, answering = int(said[0]), float(said[1])
    whole = used.ru_utime + used.ru_stime
    return whole / received * 1e6, answering / whole, received / seconds


found = {}
for _ in range(turns):
    for question in ["", "sockets", "socket 1"]:
        found.setdefault(question, []).append(turn(question))
alone = statistics.median(one[0] for one in found[""])
for question, all in found.items():
    cost, share, pace = (statistics.median(one[at] for one in all) for at in range(3))
    print(f"{question or 'nobody looks':14} {pace:8.0f} messages/s  {cost:.3f} us of processor time a message "
          f"({100 * (cost / alone - 1):+.1f} %)  the thread that answers: {100 * share:.2f} % of all")
