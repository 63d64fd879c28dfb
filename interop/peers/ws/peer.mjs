import { createRequire } from "node:module";
import process from "node:process";
import { main } from "../runner/main.mjs";

// The packages are not beside this file but where the tests installed them.
const require = createRequire(`${process.env.NODE_MODULES}/`);
const WebSocket = require("ws");

await main(`${require("ws/package.json").version} (Node ${process.versions.node})`, {
  insists: true,
  open: (url, { protocols, origin }) => new WebSocket(url, protocols, origin ? { origin } : {}),
  ping: (ws, bytes) => ws.ping(bytes),
  onPong: (ws, f) => ws.on("pong", f),
  sendFragments(ws, parts) {
    parts.forEach((part, i) => ws.send(part, { fin: i === parts.length - 1, binary: false }));
  },
  vanish: ws => ws.terminate(),
  refusal: (url, origin) => new Promise((resolve, reject) => {
    const ws = new WebSocket(url, [], { origin });
    ws.on("unexpected-response", (request, response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    ws.on("open", () => reject(new Error("opened")));
    ws.on("error", reject);
  }),
});
