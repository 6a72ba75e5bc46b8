"""A hub and its many peers, for tests/interop/mesh.rs: a ROUTER that echoes, DEALERs with names."""

import threading

import zmq
from orders import serve


def set_options(socket, limit):
    socket.linger = 0
    socket.setsockopt(zmq.HEARTBEAT_IVL, 100)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 4000)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 4000)
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.MAXMSGSIZE, limit)


class Program:
    def __init__(self):
        self.context = zmq.Context()

    def hub(self, endpoint, limit):
        socket = self.context.socket(zmq.ROUTER)
        set_options(socket, limit)
        socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        socket.bind(endpoint)

        def echo():
            while True:
                socket.send_multipart(socket.recv_multipart())

        threading.Thread(target=echo, daemon=True).start()

    def peers(self, endpoint, limit, count):
        self.sockets = []
        for number in range(count):
            socket = self.context.socket(zmq.DEALER)
            set_options(socket, limit)
            socket.rcvtimeo = 20_000
            socket.setsockopt(zmq.ROUTING_ID, b"peer %d" % number)
            socket.connect(endpoint)
            self.sockets.append(socket)

    def ask(self, text):
        """Every peer sends the text with its number, and gets it back."""
        texts = [f"{text} {number}".encode() for number in range(len(self.sockets))]
        for socket, sent in zip(self.sockets, texts):
            socket.send(sent)
        return all(socket.recv() == sent for socket, sent in zip(self.sockets, texts))

    def exceed(self, number, size):
        self.sockets[number].send(bytes(size))


serve(Program())
