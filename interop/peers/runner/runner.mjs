// Runs cases of the catalogue (../../catalogue) with anything that has the
// interface of a browser's WebSocket. A peer is what differs:
//
//   open(url, {protocols, origin})  a WebSocket that is connecting
//   cannot(c)                       why the peer cannot do a case, if so
//   ping(ws, bytes), onPong(ws, f)  if it can
//   sendFragments(ws, parts)        if it can: text, as bytes
//   vanish(ws)                      ends the socket, or the process
//   refusal(url, origin)            the status of a refusal, if it is told
//   abnormal                        what it tells as 1006, if not that
//   insists                         refuses a server that chose no subprotocol

const patience = 10_000;
const hello = "hello";
const encoder = new TextEncoder();

/** Runs the cases one after the other and reports each. */
export async function run(cases, peer, report) {
  for (const c of cases) {
    const skip = peer.cannot?.(c);
    if (skip) {
      report({ case: c.case, skip });
      continue;
    }
    let error;
    try {
      await within(verbs[c.verb](c, peer, report), c.verb);
    } catch (err) {
      error = String(err?.message ?? err);
    }
    report(error === undefined ? { case: c.case, ok: true } : { case: c.case, error });
  }
}

/** A promise that does not wait for ever. */
function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what} took too long`)), patience); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function want(got, expected, what) {
  if (got !== expected) throw new Error(`${what}: ${brief(got)}, not ${brief(expected)}`);
}

function brief(value) {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** A socket whose events are waited for one by one. */
class Link {
  constructor(ws) {
    this.ws = ws;
    this.events = [];
    this.waiting = null;
    ws.binaryType = "arraybuffer";
    ws.addEventListener("open", () => this.add({ kind: "open" }));
    ws.addEventListener("message", e => this.add({ kind: "message", data: e.data }));
    ws.addEventListener("error", () => {}); // a close follows
    ws.addEventListener("close", e => this.add({ kind: "close", code: e.code, reason: e.reason, clean: e.wasClean }));
  }

  add(event) {
    if (this.waiting) this.waiting(event); else this.events.push(event);
    this.waiting = null;
  }

  async next(kind) {
    const event = this.events.shift() ?? await new Promise(resolve => { this.waiting = resolve; });
    if (event.kind !== kind) throw new Error(`${brief(event)}, not ${kind}`);
    return event;
  }

  /** Gets the payload back. */
  async expect(payload) {
    const { data } = await this.next("message");
    if (typeof payload === "string") {
      if (data !== payload) throw new Error(`another text: ${brief(data)}`);
      return;
    }
    if (!(data instanceof ArrayBuffer)) throw new Error(`not binary: ${brief(data)}`);
    const got = new Uint8Array(data);
    if (got.length !== payload.length || got.some((b, i) => b !== payload[i])) throw new Error(`other bytes, ${got.length}`);
  }

  async echo(payload = hello) {
    this.ws.send(payload);
    await this.expect(payload);
  }

  async close(code = 1000, reason = "", told = code) {
    if (code) this.ws.close(code, reason); else this.ws.close();
    want((await this.next("close")).code, told, "code of the answer");
  }
}

async function open(c, peer, options = {}) {
  const link = new Link(peer.open(c.url, { protocols: c.offer ?? [], origin: c.origin, ...options }));
  await link.next("open");
  return link;
}

function payload(c) {
  return c.repeat > 0 ? c.text.repeat(c.repeat) : Uint8Array.from({ length: c.size }, (_, i) => i % 251);
}

const verbs = {
  async echo(c, peer) {
    const link = await open(c, peer);
    await link.echo(payload(c));
    await link.close();
  },

  async burst(c, peer) {
    const link = await open(c, peer);
    for (let i = 0; i < c.count; i++) link.ws.send(`message ${i}`);
    for (let i = 0; i < c.count; i++) await link.expect(`message ${i}`);
    await link.close();
  },

  async fragments(c, peer) {
    const link = await open(c, peer);
    const bytes = encoder.encode(payload(c));
    const cuts = [0, ...c.splits, bytes.length];
    peer.sendFragments(link.ws, cuts.slice(1).map((to, i) => bytes.subarray(cuts[i], to)));
    await link.expect(payload(c));
    await link.close();
  },

  reassemble: (c, peer) => verbs.echo(c, peer),

  async ping(c, peer) {
    const link = await open(c, peer);
    peer.onPong(link.ws, data => link.add({ kind: "pong", data: new TextDecoder().decode(data) }));
    for (let i = 0; i < c.count; i++) peer.ping(link.ws, encoder.encode(c.text + i));
    for (let i = 0; i < c.count; i++) want((await link.next("pong")).data, c.text + i, "pong");
    await link.echo();
    await link.close();
  },

  async pinged(c, peer) {
    const link = await open(c, peer);
    await link.expect("pinged");
    await link.close();
  },

  async close(c, peer) {
    const link = await open(c, peer);
    await link.echo();
    await link.close(c.code, c.reason, c.code || 1005);
  },

  async closed(c, peer) {
    const link = await open(c, peer);
    const end = await link.next("close");
    want(end.code, c.code || 1005, "code");
    want(end.reason, c.reason, "reason");
    want(end.clean ?? true, true, "clean");
  },

  async vanish(c, peer, report) {
    const link = await open(c, peer);
    await link.echo();
    peer.vanish(link.ws, () => report({ case: c.case, ok: true }));
  },

  async lost(c, peer) {
    // The socket may be gone before it was seen to open.
    const link = new Link(peer.open(c.url, { protocols: [] }));
    const first = link.events.shift() ?? await new Promise(resolve => { link.waiting = resolve; });
    const end = first.kind === "close" ? first : await link.next("close");
    want(end.code, peer.abnormal ?? 1006, "code");
  },

  async subprotocol(c, peer) {
    if (peer.insists && c.offer?.length && !c.agreed) {
      const link = new Link(peer.open(c.url, { protocols: c.offer }));
      want((await link.next("close")).code, peer.abnormal ?? 1006, "code of a connection without the subprotocol");
      return;
    }
    const link = await open(c, peer);
    want(link.ws.protocol, c.agreed, "subprotocol");
    await link.echo();
    await link.close();
  },

  async refused(c, peer) {
    if (peer.refusal) {
      want(await peer.refusal(c.url, c.origin), 403, "status");
      return;
    }
    const link = new Link(peer.open(c.url, { protocols: [], origin: c.origin }));
    want((await link.next("close")).code, peer.abnormal ?? 1006, "code of a refused connection");
  },
};
