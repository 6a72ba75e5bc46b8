"""bitcoind's publisher and its subscriber, as far as their sockets go, for tests/interop/bitcoind.rs.

Messages are [topic, body, counter]: the counter has four bytes, the low one first, and is each topic's own.
"""

import struct

import zmq
from orders import serve


class Program:
    def __init__(self):
        self.context = zmq.Context()

    def node(self, endpoint, hwm):
        self.socket = self.context.socket(zmq.PUB)
        self.socket.sndhwm = hwm
        self.socket.bind(endpoint)
        self.counters = {}

    def publish(self, topic, size, count):
        for _ in range(count):
            counter = self.counters.get(topic, 0)
            self.counters[topic] = counter + 1
            self.socket.send_multipart([topic.encode(), bytes(size), struct.pack("<I", counter)])

    def finish(self):
        self.socket.close()
        self.context.term()

    def subscriber(self, endpoint, topics, hwm):
        self.socket = self.context.socket(zmq.SUB)
        self.socket.rcvhwm = hwm
        self.socket.setsockopt(zmq.RECONNECT_IVL, 20)
        for topic in topics:
            self.socket.subscribe(topic)
        self.socket.connect(endpoint)

    def next(self, patience):
        if not self.socket.poll(patience):
            return None
        topic, body, counter = self.socket.recv_multipart()
        return [topic.decode(), len(body), struct.unpack("<I", counter)[0]]


serve(Program())
