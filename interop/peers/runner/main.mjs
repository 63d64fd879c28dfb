// What the programs in JavaScript share: program client CASES

import { readFileSync, writeSync } from "node:fs";
import process from "node:process";
import { run } from "./runner.mjs";

export function print(line) { writeSync(1, `${JSON.stringify(line)}\n`); }

/** Ends the process without a word to the server. */
export function exit(_, done) {
  done();
  process.exit(0);
}

/** Runs the cases of the file that the command line names. */
export async function main(version, peer) {
  print({ version });
  const [role, file] = process.argv.slice(2);
  if (role !== "client") throw new Error(`no such role: ${role}`);
  await run(JSON.parse(readFileSync(file, "utf8")), peer, print);
  process.exit(0); // sockets that were left behind are of cases that failed
}
