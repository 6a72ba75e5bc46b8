"""A UDP server as a first lecture on sockets has it: nothing but Python's socket module. Prints its port, answers each
datagram in capitals, and prints what it was sent, until that is "bye".

    python3 lecture_udp_server.py
"""

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
server.settimeout(30)
print(server.getsockname()[1], flush=True)
said = b""
while said != b"bye":
    said, address = server.recvfrom(65535)
    print(said.decode(), flush=True)
    server.sendto(said.upper(), address)
server.close()
