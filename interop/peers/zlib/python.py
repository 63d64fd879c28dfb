"""Inflates and deflates messages of permessage-deflate with Python's zlib.

Each line of standard input is a task, each of standard output its result; bytes
are in base64.
"""

import base64
import json
import platform
import sys
import zlib

TAIL = b"\x00\x00\xff\xff"


def open_stream(task):
    if task["do"] == "inflate":
        return zlib.decompressobj(-task["bits"])
    return zlib.compressobj(
        task["level"], zlib.DEFLATED, -task["bits"], task["memory"], task["strategy"]
    )


def inflate(stream, message, task):
    out = []
    rest = message + TAIL
    while rest:
        out.append(stream.decompress(rest, task["piece"]))
        rest = stream.unconsumed_tail
        if stream.eof:
            raise ValueError("a last block")
    while last := stream.decompress(b"", task["piece"]):
        out.append(last)
    return b"".join(out)


def deflate(stream, message, _):
    out = stream.compress(message) + stream.flush(zlib.Z_SYNC_FLUSH)
    if not out:
        return b"\x00"  # nothing comes out of a second flush without input
    if not out.endswith(TAIL):
        raise ValueError("no end")
    return out[: -len(TAIL)]


def run(task):
    work = inflate if task["do"] == "inflate" else deflate
    results = []
    stream = open_stream(task)
    for message in task["messages"]:
        results.append(base64.b64encode(work(stream, base64.b64decode(message), task)).decode())
        if not task["takeover"]:
            stream = open_stream(task)
    return {"messages": results}


version = f"{zlib.ZLIB_RUNTIME_VERSION} (Python {platform.python_version()})"
print(json.dumps({"version": version}), flush=True)
for line in sys.stdin:
    try:
        result = run(json.loads(line))
    except (ValueError, zlib.error) as error:
        result = {"error": str(error)}
    print(json.dumps(result), flush=True)
