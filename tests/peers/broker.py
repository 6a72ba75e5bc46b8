"""The parts of a broker of requests, for tests/interop/broker.rs: the broker, a worker, a client."""

import threading

import zmq
from orders import serve


class Program:
    def __init__(self):
        self.context = zmq.Context()

    def broker(self, front, back):
        sockets = []
        for kind, endpoint in [(zmq.ROUTER, front), (zmq.DEALER, back)]:
            socket = self.context.socket(kind)
            socket.bind(endpoint)
            sockets.append(socket)
        threading.Thread(target=zmq.proxy, args=sockets, daemon=True).start()

    def worker(self, back, name, served):
        """Answers so many requests, and keeps the next one without an answer."""
        self.holds = threading.Event()
        socket = self.context.socket(zmq.REP)
        socket.connect(back)

        def work():
            for _ in range(served):
                socket.send(name.encode() + b": " + socket.recv())
            socket.recv()
            self.holds.set()

        threading.Thread(target=work, daemon=True).start()

    def held(self):
        assert self.holds.wait(20)

    def client(self, front):
        self.socket = self.context.socket(zmq.REQ)
        self.socket.setsockopt(zmq.REQ_RELAXED, 1)
        self.socket.setsockopt(zmq.REQ_CORRELATE, 1)
        self.socket.connect(front)

    def ask(self, count):
        return [self.ask_until_answered(f"request {number}") for number in range(count)]

    def ask_until_answered(self, request):
        while True:
            self.socket.send_string(request)
            if self.socket.poll(300):
                return self.socket.recv_string()


serve(Program())
