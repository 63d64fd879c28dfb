// Serves what the URLs of the catalogue (../../catalogue/case.go) ask for. A
// peer's serve(house) resolves to its port, asks the house about each request,
// and tells a session of it what happens on each connection, which it gives as
//
//   send(payload), sendFragments(parts)  text as a string or, in parts, as bytes
//   ping(bytes), close(code, reason)     no code: a Close frame without one
//   abort(told)                          ends the socket, or the process after told()

import { createHash } from "node:crypto";

const encoder = new TextEncoder();

function digest(payload) {
  const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
  const sum = createHash("sha256").update(bytes).digest("hex");
  return `${typeof payload === "string" ? "text" : "binary"} ${bytes.length} ${sum}`;
}

const parse = target => new URL(target, "http://server");

export class House {
  constructor(protocols, cannot, report) {
    this.protocols = protocols;
    this.cannot = cannot;
    this.report = report;
  }

  /** Why there is to be no connection, as {status, reason}. */
  refusal(target, origin, host) {
    const { pathname, searchParams } = parse(target);
    const reason = this.cannot?.(pathname, Number(searchParams.get("code")));
    if (reason) return { status: 501, reason };
    if (origin && origin !== `http://${host}`) return { status: 403, reason: `origin ${origin} is not allowed` };
  }

  /** The subprotocol for a client, or undefined. */
  choose(offered) { return this.protocols.find(name => offered.includes(name)); }

  session(target, protocol, link) { return new Session(parse(target), protocol, link, this.report); }
}

class Session {
  constructor({ pathname, searchParams }, protocol, link, report) {
    this.path = pathname;
    this.query = searchParams;
    this.link = link;
    this.report = report;
    this.seen = { case: searchParams.get("case"), protocol: protocol ?? "", messages: [], pongs: [] };
  }

  opened() {
    const count = Number(this.query.get("count")), code = Number(this.query.get("code"));
    if (this.path === "/ping") for (let i = 0; i < count; i++) this.link.ping(encoder.encode(`größer ${i}`));
    if (this.path === "/close") {
      if (code === 1005) this.link.close(); else this.link.close(code, this.query.get("reason"));
    }
    if (this.path === "/abort") this.link.abort(() => this.closed(1006, ""));
  }

  message(payload) {
    this.seen.messages.push(digest(payload));
    if (this.path !== "/fragmented") {
      this.link.send(payload);
      return;
    }
    const bytes = encoder.encode(payload), third = Math.floor(bytes.length / 3); // within a character
    this.link.sendFragments([bytes.subarray(0, third), bytes.subarray(third, third), bytes.subarray(third)]);
  }

  pong(bytes) {
    this.seen.pongs.push(new TextDecoder().decode(bytes));
    if (this.seen.pongs.length === Number(this.query.get("count"))) this.link.send("pinged");
  }

  closed(code, reason) { this.report({ ...this.seen, code, reason }); }
}
