"""Runs cases of the catalogue (../../catalogue) with a WebSocket library.

A peer gives an asynchronous connect(url, offer, origin), which raises Refusal,
and an asynchronous serve(house), which returns its port and has house.attend
called with the target and the connection of each client. A connection has

    send(payload)              text as str, binary as bytes
    send_fragments(parts)      a text, in parts of bytes
    receive()                  a payload; raises End
    ping(payloads)             pings at once and returns the payloads of the pongs
    close(code, reason)        returns the code of the answer; 1005 for none
    vanish()                   closes the socket
    subprotocol                or None
"""

import asyncio
import hashlib
import json
import sys
import urllib.parse

PATIENCE = 10
HELLO = "hello"


class End(Exception):
    """How a connection ended."""

    def __init__(self, code, reason=""):
        super().__init__(f"closed with {code} {reason!r}")
        self.code, self.reason = code, reason


class Refusal(Exception):
    """The status of an answer to the handshake that was not 101."""

    def __init__(self, status):
        super().__init__(f"refused with {status}")
        self.status = status


def want(got, expected, what):
    if got != expected:
        raise AssertionError(f"{what}: {got!r:.200}, not {expected!r:.200}")


def payload_of(case):
    if case["repeat"]:
        return case["text"] * case["repeat"]
    return (bytes(range(251)) * (case["size"] // 251 + 1))[: case["size"]]


async def echo(conn, payload=HELLO):
    await conn.send(payload)
    want(await conn.receive(), payload, "echo")


async def close(conn, code=1000, reason=""):
    want(await conn.close(code, reason), code, "code of the answer")


async def end_of(conn):
    try:
        got = await conn.receive()
    except End as end:
        return end
    raise AssertionError(f"got {got!r:.200}, not the end")


async def do(case, connect):
    verb = case["verb"]
    if verb == "refused":
        try:
            await connect(case["url"], [], case["origin"])
        except Refusal as refusal:
            return want(refusal.status, 403, "status")
        raise AssertionError("opened")

    conn = await connect(case["url"], case["offer"] or [], case["origin"])
    want(conn.subprotocol or "", case["agreed"], "subprotocol")
    if verb in ("echo", "reassemble"):
        await echo(conn, payload_of(case))
    elif verb == "burst":
        texts = [f"message {i}" for i in range(case["count"])]
        for text in texts:
            await conn.send(text)
        want([await conn.receive() for _ in texts], texts, "echoes")
    elif verb == "fragments":
        payload = payload_of(case).encode()
        cuts = [0, *case["splits"], len(payload)]
        await conn.send_fragments([payload[a:b] for a, b in zip(cuts, cuts[1:])])
        want(await conn.receive(), payload.decode(), "echo")
    elif verb == "ping":
        payloads = [f"{case['text']}{i}".encode() for i in range(case["count"])]
        want(await conn.ping(payloads), payloads, "pongs")
        await echo(conn)
    elif verb == "pinged":
        want(await conn.receive(), "pinged", "message")
    elif verb == "close":
        await echo(conn)
        return await close(conn, case["code"] or 1005, case["reason"])
    elif verb == "closed":
        end = await end_of(conn)
        return want((end.code, end.reason), (case["code"] or 1005, case["reason"]), "end")
    elif verb == "lost":
        return want((await end_of(conn)).code, 1006, "code")
    elif verb == "vanish":
        await echo(conn)
        return await conn.vanish()
    elif verb == "subprotocol":
        await echo(conn)
    else:
        raise AssertionError(f"no such verb: {verb}")
    await close(conn)


def say(**line):
    print(json.dumps(line), flush=True)


async def run(cases, connect, cannot):
    for case in cases:
        name = case["case"]
        if why := cannot(case):
            say(case=name, skip=why)
            continue
        try:
            await asyncio.wait_for(do(case, connect), PATIENCE)
        except Exception as err:  # whatever it is, it is told
            say(case=name, error=f"{type(err).__name__}: {err}")
        else:
            say(case=name, ok=True)


def digest(payload):
    kind, data = ("text", payload.encode()) if isinstance(payload, str) else ("binary", payload)
    return f"{kind} {len(data)} {hashlib.sha256(data).hexdigest()}"


class House:
    """What a server needs to know."""

    def __init__(self, protocols, cannot):
        self.protocols, self.cannot = protocols, cannot

    def impossible(self, target):
        """Why the server cannot do what is asked, which it answers with 501."""
        path, query = parse(target)
        return self.cannot(path, int(query.get("code", 0)))

    def choose(self, offered):
        return next((name for name in self.protocols if name in offered), None)

    async def attend(self, target, conn):
        path, query = parse(target)
        seen = {"case": query["case"], "protocol": conn.subprotocol or "", "messages": [], "pongs": []}
        try:
            await asyncio.wait_for(converse(path, query, conn, seen), PATIENCE)
        except End as end:
            seen.update(code=end.code, reason=end.reason)
        except Exception as err:
            seen.update(code=1006, error=f"{type(err).__name__}: {err}")
        say(**seen)


def parse(target):
    url = urllib.parse.urlsplit(target)
    return url.path, dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))


async def converse(path, query, conn, seen):
    """Does what is asked, until the connection ends."""
    if path == "/ping":
        payloads = [f"größer {i}".encode() for i in range(int(query["count"]))]
        seen["pongs"] = [payload.decode() for payload in await conn.ping(payloads)]
        await conn.send("pinged")
    elif path == "/close":
        raise End(await conn.close(int(query["code"]), query["reason"]))
    elif path == "/abort":
        await conn.vanish()
    while True:
        payload = await conn.receive()
        seen["messages"].append(digest(payload))
        if path == "/fragmented":
            data = payload.encode()
            third = len(data) // 3  # within a character
            await conn.send_fragments([data[:third], b"", data[third:]])
        else:
            await conn.send(payload)


async def stay(serve, house):
    """Serves until the standard input ends."""
    say(listening=f"127.0.0.1:{await serve(house)}")
    await asyncio.to_thread(sys.stdin.read)


def main(version, connect, serve, cannot=lambda case: None, cannot_serve=lambda path, code: None):
    """The program: client CASES, or server SUBPROTOCOL,…"""
    role, argument = sys.argv[1:]
    say(version=f"{version} (Python {sys.version.split()[0]})")
    if role == "client":
        with open(argument, encoding="utf-8") as cases:
            asyncio.run(run(json.load(cases), connect, cannot))
    elif role == "server":
        asyncio.run(stay(serve, House(argument.split(","), cannot_serve)))
    else:
        raise SystemExit(f"no such role: {role}")
