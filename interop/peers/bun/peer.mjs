import { exit, main } from "../runner/main.mjs";

await main(Bun.version, {
  insists: true,
  open: (url, { protocols, origin }) => new WebSocket(url, { protocols, headers: origin ? { Origin: origin } : {} }),
  cannot(c) {
    if (c.verb === "fragments") return "the API sends no fragments";
  },
  ping: (ws, bytes) => ws.ping(bytes),
  onPong: (ws, f) => ws.addEventListener("pong", e => f(e.data)),
  vanish: exit,

  cannotServe(path) {
    if (path === "/fragmented") return "the API sends no fragments";
  },
  serve(house) {
    return Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request, server) {
        const { pathname, search, host } = new URL(request.url);
        const no = house.refusal(pathname + search, request.headers.get("origin"), host);
        if (no) return new Response(no.reason, { status: no.status });
        const protocol = house.choose(request.headers.get("sec-websocket-protocol")?.split(/, */) ?? []);
        const headers = { "Sec-WebSocket-Protocol": protocol ?? "" }; // or it would be the client's first
        server.upgrade(request, { headers, data: { target: pathname + search, protocol } });
      },
      websocket: {
        open(ws) {
          ws.data.session = house.session(ws.data.target, ws.data.protocol, {
            send: payload => ws.send(payload),
            ping: bytes => ws.ping(bytes),
            close: (code = 1005, reason) => ws.close(code, reason), // without one it is 1000
            abort: () => ws.terminate(),
          });
          ws.data.session.opened();
        },
        message: (ws, payload) => ws.data.session.message(payload),
        pong: (ws, bytes) => ws.data.session.pong(bytes),
        close: (ws, code, reason) => ws.data.session.closed(code, reason),
      },
    }).port;
  },
});
