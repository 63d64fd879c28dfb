import { exit, main } from "../runner/main.mjs";

const closeable = code => code === 0 || code === 1000 || code === 1005 || code >= 3000;

await main(Deno.version.deno, {
  abnormal: 0,
  open: (url, { protocols, origin }) => new WebSocket(url, origin ? { protocols, headers: { origin } } : protocols),
  cannot(c) {
    if (c.verb === "ping") return "the browser's API sends no pings";
    if (c.verb === "fragments") return "the browser's API sends no fragments";
    if (c.verb === "close" && !closeable(c.code)) return "the browser's API closes with 1000 and 3000–4999 only";
  },
  vanish: exit,

  cannotServe(path, code) {
    if (path === "/ping") return "the browser's API sends no pings";
    if (path === "/fragmented") return "the browser's API sends no fragments";
    if (!closeable(code)) return "the browser's API closes with 1000 and 3000–4999 only";
  },
  serve(house) {
    return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, request => {
      const { pathname, search, host } = new URL(request.url);
      const no = house.refusal(pathname + search, request.headers.get("origin"), host);
      if (no) return new Response(no.reason, { status: no.status });
      const protocol = house.choose(request.headers.get("sec-websocket-protocol")?.split(/, */) ?? []);
      const { socket, response } = Deno.upgradeWebSocket(request, protocol ? { protocol } : {});
      const session = house.session(pathname + search, protocol, {
        send: payload => socket.send(payload),
        close: (code, reason) => socket.close(code, reason),
        abort: told => exit(socket, told),
      });
      socket.binaryType = "arraybuffer";
      socket.onopen = () => session.opened();
      socket.onmessage = ({ data }) => session.message(typeof data === "string" ? data : new Uint8Array(data));
      socket.onerror = () => {}; // a close follows
      socket.onclose = ({ code, reason }) => session.closed(code || 1006, reason);
      return response;
    }).addr.port;
  },
});
