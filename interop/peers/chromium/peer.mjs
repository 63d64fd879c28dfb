import { run } from "../runner/runner.mjs";

const peer = {
  insists: true,
  open: (url, { protocols }) => new WebSocket(url, protocols), // the origin is that of the page
  cannot(c) {
    if (c.verb === "ping") return "the browser's API sends no pings";
    if (c.verb === "fragments") return "the browser's API sends no fragments";
    if (c.verb === "close" && c.code === 1001) return "the browser's API closes with 1000 and 3000–4999 only";
  },
};

/** Runs cases and returns what a program would have printed. */
export async function runCases(cases) {
  const lines = [];
  await run(cases, peer, line => lines.push(line));
  return lines;
}

/** Leaves a connection open, for a browser that is about to be killed. */
export function leaveOpen(c) {
  return new Promise((resolve, reject) => {
    const ws = peer.open(c.url, {});
    ws.onopen = () => ws.send("hello");
    ws.onmessage = () => resolve(true);
    ws.onclose = e => reject(new Error(`closed with ${e.code}`));
  });
}
