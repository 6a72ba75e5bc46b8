"""A service that pushes events and the sink that takes them, for tests/interop/service.rs.

An event has 2 KB and begins with its number, eight bytes, the low one first.
"""

import struct

import zmq
from orders import serve
from zmq.utils.monitor import recv_monitor_message

REST = bytes(2048 - 8)


class Program:
    def __init__(self):
        self.context = zmq.Context()

    def service(self, endpoint, hwm):
        self.socket = self.context.socket(zmq.PUSH)
        self.socket.sndhwm = hwm
        self.socket.sndtimeo = 20_000
        self.socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self.monitor = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.socket.connect(endpoint)

    def push(self, first, count):
        for number in range(first, first + count):
            self.socket.send(struct.pack("<Q", number) + REST)

    def fill(self, first):
        """Pushes until there is no room; says how many."""
        number = first
        try:
            while True:
                self.socket.send(struct.pack("<Q", number) + REST, zmq.NOBLOCK)
                number += 1
        except zmq.Again:
            return number - first

    def notice_the_outage(self):
        recv_monitor_message(self.monitor)

    def sink(self, endpoint):
        self.socket = self.context.socket(zmq.PULL)
        self.socket.rcvtimeo = 20_000
        self.socket.bind(endpoint)

    def take(self, count):
        """The numbers of the next events, if they follow each other: the first."""
        events = [self.socket.recv() for _ in range(count)]
        numbers = [struct.unpack_from("<Q", event)[0] for event in events]
        assert numbers == list(range(numbers[0], numbers[0] + count)), numbers
        assert all(len(event) == 2048 for event in events)
        return numbers[0]


serve(Program())
