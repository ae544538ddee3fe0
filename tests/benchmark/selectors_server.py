"""An echo server on Python's selectors.SelectSelector, for comparison.

    selectors_server.py --port N --bind ADDRESS
"""

import argparse
import selectors
import socket


def accept(selector, listener):
    client, _ = listener.accept()
    client.setblocking(False)
    selector.register(client, selectors.EVENT_READ, answer)


def answer(selector, client):
    data = client.recv(16384)
    if data:
        client.send(data)
    else:
        selector.unregister(client)
        client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--bind", default="127.0.0.1")
    options = parser.parse_args()
    selector = selectors.SelectSelector()
    with socket.create_server((options.bind, options.port), backlog=1024) as listener:
        print(f"listening on {options.bind}:{listener.getsockname()[1]}", flush=True)
        selector.register(listener, selectors.EVENT_READ, accept)
        while True:
            for key, _ in selector.select():
                key.data(selector, key.fileobj)


if __name__ == "__main__":
    main()
