"""A TCP server as a first lecture on sockets has it: nothing but Python's socket module. Prints its port, serves one client,
and prints what it was sent.

    python3 lecture_tcp_server.py talk     reads a line, answers with it in capitals, and reads on to the end of stream
    python3 lecture_tcp_server.py close    accepts and closes at once
    python3 lecture_tcp_server.py bytes    reads a line, and answers byte by byte
"""

import socket
import sys

how = sys.argv[1]
server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", 0))
server.listen(5)
print(server.getsockname()[1], flush=True)

connection, address = server.accept()
if how != "close":
    line = b""
    while not line.endswith(b"\n"):
        more = connection.recv(1024)
        if not more:
            break
        line += more
    print(line.decode().strip(), flush=True)
    if how == "talk":
        connection.sendall(line.upper())
    else:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in line.upper():
            connection.send(bytes([byte]))
    while connection.recv(1024):
        pass
    print("end of stream", flush=True)
connection.close()
server.close()
