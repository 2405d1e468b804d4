"""Clients that hold TCP connections and hardly send. Its arguments: address, how many connections."""

import socket
import sys
import time

address, count = sys.argv[1], int(sys.argv[2])
connections = []
while True:
    while len(connections) < count:
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex((address, 53))
        connections.append(connection)
    alive = []
    for connection in connections:
        try:
            connection.send(b"\x10")
            alive.append(connection)
        except BlockingIOError:
            alive.append(connection)
        except OSError:
            connection.close()
    connections = alive
    time.sleep(0.3)
