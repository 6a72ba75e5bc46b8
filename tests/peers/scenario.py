"""Sockets of libzmq (through pyzmq) that do what a scenario says, for tests/differential/pyzmq.rs.

Reads one JSON object a line from standard input: {"do": ..., "socket": NAME, ...}; the methods of
Sockets are the orders. Answers each with one: {}, {"message": [FRAME, ...]}, {"event": NAME, "value": N} or
{"refused": ERRNO NAME}. Frames are lists of bytes; times are milliseconds.
"""

import errno
import json
import sys

import zmq
from zmq.utils.monitor import recv_monitor_message

TEXTS = {"ROUTING_ID", "XPUB_WELCOME_MSG"}


def set_option(socket, name, value):
    value = value.encode() if name in TEXTS else int(value)
    socket.setsockopt(getattr(zmq, name), value)


class Sockets:
    def __init__(self):
        self.context = zmq.Context()
        self.open_ones = {}

    def open(self, socket, type, options):
        made = self.context.socket(getattr(zmq, type))
        for name, value in options:
            set_option(made, name, value)
        self.open_ones[socket] = made, made.get_monitor_socket()

    def bind(self, socket, at):
        self.open_ones[socket][0].bind(at)

    def unbind(self, socket, at):
        self.open_ones[socket][0].unbind(at)

    def connect(self, socket, at):
        self.open_ones[socket][0].connect(at)

    def disconnect(self, socket, at):
        self.open_ones[socket][0].disconnect(at)

    def send(self, socket, frames, patience):
        one = self.open_ones[socket][0]
        one.sndtimeo = patience
        one.getsockopt(zmq.EVENTS)  # looks at what the I/O thread has to say
        one.send_multipart([bytes(frame) for frame in frames])

    def recv(self, socket, patience):
        one = self.open_ones[socket][0]
        one.rcvtimeo = patience
        return {"message": [list(frame) for frame in one.recv_multipart()]}

    def event(self, socket, patience):
        monitor = self.open_ones[socket][1]
        monitor.rcvtimeo = patience
        event = recv_monitor_message(monitor)
        return {"event": zmq.Event(event["event"]).name, "value": event["value"]}

    def topic(self, socket, option, topic):
        self.open_ones[socket][0].setsockopt(getattr(zmq, option), bytes(topic))

    def set(self, socket, name, value):
        set_option(self.open_ones[socket][0], name, value)

    def close(self, socket):
        one, monitor = self.open_ones.pop(socket)
        one.disable_monitor()
        one.close()


def main():
    sockets = Sockets()
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = getattr(sockets, order.pop("do"))(**order) or {}
        except zmq.ZMQError as error:
            name = errno.errorcode.get(error.errno) or zmq.Errno(error.errno).name
            answer = {"refused": name}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    sockets.context.destroy(linger=0)


main()
