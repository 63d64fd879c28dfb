// Inflates and deflates messages of permessage-deflate with Node's zlib. Each
// line of standard input is a task, each of standard output its result; bytes are
// in base64.
import readline from "node:readline";
import zlib from "node:zlib";

const tail = Buffer.from([0x00, 0x00, 0xff, 0xff]);

function open(task) {
  if (task.do === "inflate") {
    return zlib.createInflateRaw({ windowBits: task.bits, chunkSize: task.piece });
  }
  return zlib.createDeflateRaw({
    windowBits: task.bits,
    level: task.level,
    memLevel: task.memory,
    strategy: task.strategy,
  });
}

// one writes a message and resolves with what comes out.
function one(stream, message) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    const take = chunk => chunks.push(chunk);
    stream.on("data", take);
    stream.once("error", reject);
    stream.write(message);
    stream.flush(zlib.constants.Z_SYNC_FLUSH, () => {
      stream.off("data", take);
      stream.off("error", reject);
      resolve(Buffer.concat(chunks));
    });
  });
}

async function run(task) {
  const results = [];
  let stream = open(task);
  for (const encoded of task.messages) {
    const message = Buffer.from(encoded, "base64");
    let result = await one(stream, task.do === "inflate" ? Buffer.concat([message, tail]) : message);
    if (task.do === "deflate") {
      // Nothing comes out of a second flush without input.
      result = result.length === 0 ? Buffer.from([0]) : result.subarray(0, result.length - tail.length);
    }
    results.push(result.toString("base64"));
    if (!task.takeover) {
      stream.close();
      stream = open(task);
    }
  }
  stream.close();
  return { messages: results };
}

console.log(JSON.stringify({ version: `${process.versions.zlib} (Node ${process.versions.node})` }));
for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const result = await run(JSON.parse(line)).catch(error => ({ error: String(error) }));
  await new Promise(resolve => process.stdout.write(JSON.stringify(result) + "\n", resolve));
}
