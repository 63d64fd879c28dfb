import { createRequire } from "node:module";
import process from "node:process";
import { main } from "../runner/main.mjs";

// The packages are not beside this file but where the tests installed them.
const require = createRequire(`${process.env.NODE_MODULES}/`);
const WebSocket = require("ws");

function sendFragments(ws, parts) {
  parts.forEach((part, i) => ws.send(part, { fin: i === parts.length - 1, binary: false }));
}

await main(`${require("ws/package.json").version} (Node ${process.versions.node})`, {
  insists: true,
  open: (url, { protocols, origin }) => new WebSocket(url, protocols, origin ? { origin } : {}),
  ping: (ws, bytes) => ws.ping(bytes),
  onPong: (ws, f) => ws.on("pong", f),
  sendFragments,
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

  serve: house => new Promise(resolve => {
    const server = new WebSocket.Server({
      host: "127.0.0.1",
      port: 0,
      verifyClient({ req }, answer) {
        const no = house.refusal(req.url, req.headers.origin, req.headers.host);
        answer(!no, no?.status, no?.reason);
      },
      handleProtocols: offered => house.choose([...offered]) ?? false,
    });
    server.on("listening", () => resolve(server.address().port));
    server.on("connection", (ws, req) => {
      const session = house.session(req.url, ws.protocol, {
        send: payload => ws.send(payload),
        sendFragments: parts => sendFragments(ws, parts),
        ping: bytes => ws.ping(bytes),
        close: (code, reason) => ws.close(code, reason),
        abort: () => ws.terminate(),
      });
      ws.on("message", (data, binary) => session.message(binary ? data : data.toString()));
      ws.on("pong", data => session.pong(data));
      ws.on("error", () => {}); // a close follows
      ws.on("close", (code, reason) => session.closed(code, reason.toString()));
      session.opened();
    });
  }),
});
