import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "runner"))

from runner import End, Refusal, main  # noqa: E402

import aiohttp  # noqa: E402
from aiohttp import WSMsgType  # noqa: E402


class Conn:
    def __init__(self, session, ws):
        self.session, self.ws = session, ws
        self.subprotocol = ws.protocol

    async def send(self, payload):
        if isinstance(payload, str):
            await self.ws.send_str(payload)
        else:
            await self.ws.send_bytes(payload)

    async def next(self):
        # With autoping off the pongs are to be seen, and pings to be answered.
        while True:
            message = await self.ws.receive()
            if message.type != WSMsgType.PING:
                return message
            await self.ws.pong(message.data)

    async def receive(self):
        message = await self.next()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            return message.data
        await self.session.close()
        if message.type == WSMsgType.CLOSE:
            # The library has no other name for a Close frame without a code.
            raise End(message.data or 1005, message.extra or "")
        raise End(self.ws.close_code)

    async def ping(self, payloads):
        for payload in payloads:
            await self.ws.ping(payload)
        return [(await self.next()).data for _ in payloads]

    async def close(self, code, reason):
        await self.ws.close(code=code, message=reason.encode())
        await self.session.close()
        return self.ws.close_code

    async def vanish(self):
        await self.session.close()


async def connect(url, offer, origin):
    session = aiohttp.ClientSession()
    try:
        ws = await session.ws_connect(url, protocols=offer, origin=origin or None, autoping=False, max_msg_size=2**21)
    except aiohttp.WSServerHandshakeError as err:
        await session.close()
        raise Refusal(err.status)
    return Conn(session, ws)


def cannot(case):
    if case["verb"] == "fragments":
        return "the API sends no fragments"
    if case["verb"] == "close" and not case["code"]:
        return "close() always sends a code"


main(aiohttp.__version__, connect, cannot)
