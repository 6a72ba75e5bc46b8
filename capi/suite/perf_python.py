"""What a Python program gets of a library: pyzmq's send and recv in a loop. suite_perf.py runs two of these, as it runs
libzmq's local_thr and remote_thr, and reads the same lines.

    perf_python.py local_thr|remote_thr|local_lat|remote_lat ENDPOINT SIZE COUNT
"""

import resource
import sys
import time

import zmq

role, end, size, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
context = zmq.Context()
socket = context.socket({"local_thr": zmq.PULL, "remote_thr": zmq.PUSH, "local_lat": zmq.REP, "remote_lat": zmq.REQ}[role])
body = bytes(size)


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if role.startswith("local"):
    socket.bind(end)
else:
    socket.connect(end)
cpu_before = cpu()
if role == "local_thr":
    socket.recv()
    began = time.perf_counter()
    for _ in range(count - 1):
        socket.recv()
    print(f"mean throughput: {int((count - 1) / (time.perf_counter() - began))} [msg/s]")
elif role == "remote_thr":
    for _ in range(count):
        socket.send(body)
elif role == "local_lat":
    for _ in range(count):
        socket.send(socket.recv())
else:
    began = time.perf_counter()
    for _ in range(count):
        socket.send(body)
        socket.recv()
    print(f"average latency: {(time.perf_counter() - began) / count / 2 * 1e6:.3f} [us]")
# What the interpreter takes to start is no message's.
print(f"cpu: {cpu() - cpu_before:.6f} [s]")
socket.close()
context.term()
