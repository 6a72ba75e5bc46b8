"""A UDP client as a first lecture on sockets has it: nothing but Python's socket module.

    python3 lecture_udp_client.py PORT talk     sends a datagram, and prints the answer
    python3 lecture_udp_client.py PORT empty    sends an empty one, and prints how long the answer is
    python3 lecture_udp_client.py PORT many     sends a hundred, one after the other, and prints how many came back
"""

import socket
import sys

port, how = int(sys.argv[1]), sys.argv[2]
server = ("127.0.0.1", port)
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(30)

if how == "talk":
    client.sendto(b"hello", server)
    answer, address = client.recvfrom(65535)
    print(answer.decode(), address[1] == port)
elif how == "empty":
    client.sendto(b"", server)
    answer, address = client.recvfrom(65535)
    print(len(answer))
elif how == "many":
    count = 0
    for number in range(100):
        client.sendto(str(number).encode(), server)
        answer, address = client.recvfrom(65535)
        count += answer == str(number).encode()
    print(count)
client.close()
