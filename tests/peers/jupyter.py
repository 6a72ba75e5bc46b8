"""A Jupyter kernel and its client, as far as their sockets go, for tests/interop/jupyter.rs.

Messages are [b"<IDS|MSG>", kind, content], with the client's routing id in front on the kernel's side.
"""

import threading

import zmq
from orders import serve

DELIMITER = b"<IDS|MSG>"
CHANNELS = ["shell", "iopub", "stdin", "control", "hb"]


class Kernel:
    def __init__(self, context, ports):
        kinds = [zmq.ROUTER, zmq.PUB, zmq.ROUTER, zmq.ROUTER, zmq.REP]
        self.sockets = {}
        for name, kind in zip(CHANNELS, kinds):
            socket = self.sockets[name] = context.socket(kind)
            socket.linger = 0
            if name == "iopub":
                socket.setsockopt(zmq.XPUB_NODROP, 1)
            if kind == zmq.ROUTER:
                socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
                socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
            socket.bind(ports[name])
        threading.Thread(target=self.beat, daemon=True).start()
        threading.Thread(target=self.run, daemon=True).start()

    def beat(self):
        heart = self.sockets["hb"]
        while True:
            heart.send(heart.recv())

    def run(self):
        poller = zmq.Poller()
        for name in ["shell", "control"]:
            poller.register(self.sockets[name], zmq.POLLIN)
        while True:
            for socket, _ in poller.poll():
                identity, _, kind, content = socket.recv_multipart()
                content = getattr(self, kind.decode())(identity, content)
                socket.send_multipart([identity, DELIMITER, b"reply", content])

    def publish(self, kind, content):
        self.sockets["iopub"].send_multipart([b"kernel", DELIMITER, kind, content])

    def execute(self, identity, content):
        self.publish(b"busy", b"")
        for number in range(int(content)):
            self.publish(b"stream", str(number).encode())
        self.publish(b"idle", content)
        return content

    def ask(self, identity, content):
        stdin = self.sockets["stdin"]
        try:
            stdin.send_multipart([identity, DELIMITER, b"input_request", content])
        except zmq.ZMQError:
            return b"unreachable"
        _, _, _, value = stdin.recv_multipart()
        return value

    def interrupt(self, identity, content):
        return content


class Client:
    def __init__(self, context, ports, identity):
        kinds = [zmq.DEALER, zmq.SUB, zmq.DEALER, zmq.DEALER, zmq.REQ]
        self.sockets = {}
        for name, kind in zip(CHANNELS, kinds):
            socket = self.sockets[name] = context.socket(kind)
            socket.linger = 0
            socket.rcvtimeo = 20_000
            socket.setsockopt(zmq.RECONNECT_IVL, 20)
            if kind == zmq.DEALER:
                socket.setsockopt(zmq.ROUTING_ID, identity.encode())
            if kind == zmq.SUB:
                socket.subscribe(b"")
            if kind == zmq.REQ:
                socket.setsockopt(zmq.REQ_RELAXED, 1)
                socket.setsockopt(zmq.REQ_CORRELATE, 1)
            socket.connect(ports[name])
        self.nudges = 0

    def request(self, channel, kind, content):
        self.sockets[channel].send_multipart([DELIMITER, kind, content])

    def reply(self, channel):
        return self.sockets[channel].recv_multipart()[2]

    def nudge(self):
        """Asks on all channels, again and again, until the kernel answers on all of them."""
        while True:
            self.nudges += 1
            mark = b"nudge %d" % self.nudges
            self.request("control", b"interrupt", mark)
            self.request("shell", b"execute", b"0")
            self.request("shell", b"ask", mark)
            if self.hears({"control": mark, "iopub": b"0", "shell": b"answer to " + mark}):
                return

    def hears(self, wanted):
        """Whether all of this comes in time; answers questions meanwhile."""
        poller = zmq.Poller()
        names = {self.sockets[name]: name for name in CHANNELS if name != "hb"}
        for socket in names:
            poller.register(socket, zmq.POLLIN)
        while wanted:
            ready = poller.poll(200)
            if not ready:
                return False
            for socket, _ in ready:
                name, message = names[socket], socket.recv_multipart()
                if name == "stdin":
                    reply = b"answer to " + message[2]
                    socket.send_multipart([DELIMITER, b"input_reply", reply])
                elif message[-1] == wanted.get(name):
                    del wanted[name]
        return True

    def work(self, outputs):
        self.nudge()
        heart = self.sockets["hb"]
        heart.send(b"ping")
        assert heart.recv() == b"ping"
        self.request("shell", b"execute", str(outputs).encode())
        got = []
        while True:
            _, _, kind, content = self.sockets["iopub"].recv_multipart()
            if kind == b"idle" and content == str(outputs).encode():
                break
            if kind == b"stream":
                got.append(int(content))
        while self.reply("shell") != str(outputs).encode():
            pass
        return got == list(range(outputs))


class Program:
    def kernel(self, ports):
        self.part = Kernel(zmq.Context(), ports)

    def client(self, ports, identity):
        self.part = Client(zmq.Context(), ports, identity)

    def work(self, outputs):
        return self.part.work(outputs)


serve(Program())
