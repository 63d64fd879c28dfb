import asyncio
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "runner"))

from runner import End, Refusal, main  # noqa: E402

import websockets  # noqa: E402
from websockets.asyncio.client import connect as dial  # noqa: E402
from websockets.asyncio.server import serve as listen  # noqa: E402


class Conn:
    def __init__(self, ws):
        self.ws = ws
        self.send = ws.send
        self.subprotocol = ws.subprotocol

    async def send_fragments(self, parts):
        await self.ws.send(parts, text=True)

    async def receive(self):
        try:
            return await self.ws.recv()
        except websockets.ConnectionClosed:
            raise End(self.ws.close_code, self.ws.close_reason)

    async def ping(self, payloads):
        # A waiter is done when a pong with the payload of its ping came.
        waiters = [await self.ws.ping(payload) for payload in payloads]
        await asyncio.gather(*waiters)
        return payloads

    async def close(self, code, reason):
        if code == 1005:  # the method of the connection has no way to say so
            async with self.ws.send_context():
                self.ws.protocol.send_close()
        else:
            await self.ws.close(code, reason)
        return self.ws.close_code

    async def vanish(self):
        self.ws.transport.abort()


async def connect(url, offer, origin):
    try:
        ws = await dial(url, subprotocols=offer or None, origin=origin or None, proxy=None, max_size=2**21)
    except websockets.InvalidStatus as err:
        raise Refusal(err.response.status_code)
    return Conn(ws)


async def serve(house):
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    await listen(
        lambda ws: house.attend(ws.request.path, Conn(ws)),
        sock=sock,
        origins=[None, f"http://127.0.0.1:{port}"],
        select_subprotocol=lambda _, offered: house.choose(offered),
        max_size=2**21,
    )
    return port


main(websockets.__version__, connect, serve)
