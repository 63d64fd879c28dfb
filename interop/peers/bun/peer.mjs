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
});
