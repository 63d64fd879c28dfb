// What the programs in JavaScript share: program client CASES, or
// program server SUBPROTOCOL,…

import { readFileSync, writeSync } from "node:fs";
import process from "node:process";
import { run } from "./runner.mjs";
import { House } from "./server.mjs";

export function print(line) { writeSync(1, `${JSON.stringify(line)}\n`); }

/** Ends the process without a word to the peer. */
export function exit(_, done) {
  done();
  process.exit(0);
}

/** Does what the command line asks for. */
export async function main(version, peer) {
  print({ version });
  const [role, argument] = process.argv.slice(2);
  if (role === "client") {
    await run(JSON.parse(readFileSync(argument, "utf8")), peer, print);
    process.exit(0); // sockets that were left behind are of cases that failed
  }
  if (role !== "server") throw new Error(`no such role: ${role}`);
  const port = await peer.serve(new House(argument.split(","), peer.cannotServe, print));
  print({ listening: `127.0.0.1:${port}` });
  process.stdin.on("end", () => process.exit(0)).resume();
}
