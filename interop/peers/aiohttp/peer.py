import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "runner"))

from runner import End, Refusal, main  # noqa: E402

import aiohttp  # noqa: E402
from aiohttp import WSMsgType, web  # noqa: E402


class Conn:
    def __init__(self, ws, leave):
        self.ws, self.leave = ws, leave
        self.subprotocol = ws.ws_protocol if isinstance(ws, web.WebSocketResponse) else ws.protocol

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
        await self.leave()
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
        await self.leave()
        return self.ws.close_code

    async def vanish(self):
        await self.leave()


async def connect(url, offer, origin):
    session = aiohttp.ClientSession()
    try:
        ws = await session.ws_connect(url, protocols=offer, origin=origin or None, autoping=False, max_msg_size=2**21)
    except aiohttp.WSServerHandshakeError as err:
        await session.close()
        raise Refusal(err.status)
    return Conn(ws, session.close)


async def serve(house):
    async def handle(request):
        target = request.raw_path
        if why := house.impossible(target):
            return web.Response(status=501, text=why)
        origin = request.headers.get("Origin")
        if origin and origin != f"http://{request.host}":
            return web.Response(status=403, text=f"origin {origin} is not allowed")

        async def leave():
            if request.transport:
                request.transport.abort()

        # The library would choose what the client likes best.
        offered = request.headers.get("Sec-WebSocket-Protocol", "").split(", ")
        chosen = house.choose(offered)
        ws = web.WebSocketResponse(protocols=[chosen] if chosen else [], autoping=False, max_msg_size=2**21)
        await ws.prepare(request)
        await house.attend(target, Conn(ws, leave))
        return ws

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner.addresses[0][1]


def cannot(case):
    if case["verb"] == "fragments":
        return "the API sends no fragments"
    if case["verb"] == "close" and not case["code"]:
        return "close() always sends a code"


def cannot_serve(path, code):
    if path == "/fragmented":
        return "the API sends no fragments"
    if path == "/close" and code == 1005:
        return "close() always sends a code"


main(aiohttp.__version__, connect, serve, cannot, cannot_serve)
