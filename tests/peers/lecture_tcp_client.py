"""A TCP client as a first lecture on sockets has it: nothing but Python's socket module.

    python3 lecture_tcp_client.py PORT talk     sends a line, prints the answer, and closes
    python3 lecture_tcp_client.py PORT close    connects and closes at once
    python3 lecture_tcp_client.py PORT bytes    sends a line byte by byte, and prints the answer
    python3 lecture_tcp_client.py PORT half     sends a line, ends its own direction, and prints the line that comes
"""

import socket
import sys

port, how = int(sys.argv[1]), sys.argv[2]
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("127.0.0.1", port))


def read_line():
    line = b""
    while not line.endswith(b"\n"):
        more = client.recv(1024)
        if not more:
            break
        line += more
    return line.decode().strip()


if how == "talk":
    client.sendall(b"hello\n")
    print(read_line())
elif how == "bytes":
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in b"byte by byte\n":
        client.send(bytes([byte]))
    print(read_line())
elif how == "half":
    client.sendall(b"that is all\n")
    client.shutdown(socket.SHUT_WR)
    print(read_line() or "end of stream")
client.close()
