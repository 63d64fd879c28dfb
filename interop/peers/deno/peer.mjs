import { exit, main } from "../runner/main.mjs";

await main(Deno.version.deno, {
  abnormal: 0,
  open: (url, { protocols, origin }) => new WebSocket(url, origin ? { protocols, headers: { origin } } : protocols),
  cannot(c) {
    if (c.verb === "ping") return "the browser's API sends no pings";
    if (c.verb === "fragments") return "the browser's API sends no fragments";
    if (c.verb === "close" && c.code === 1001) return "the browser's API closes with 1000 and 3000–4999 only";
  },
  vanish: exit,
});
