// ws with the heartbeat of its README: what did not answer the last ping by the
// next sweep is terminated.
import { createInterface } from 'node:readline';
import { WebSocketServer } from 'ws';

const [host, sweep, every] = process.argv.slice(2);

function heartbeat() {
  this.isAlive = true;
}

const wss = new WebSocketServer({ host, port: 0, maxPayload: 64 << 20 });

wss.on('listening', () => console.log(`${host}:${wss.address().port}`));

wss.on('connection', (ws, req) => {
  const port = req.socket.remotePort;
  ws.isAlive = true;
  ws.on('error', () => {});
  ws.on('pong', heartbeat);
  ws.on('message', (data, isBinary) => {
    const order = /^send (\d+)$/.exec(isBinary ? '' : data.toString());
    if (order) ws.send(Buffer.alloc(Number(order[1])), { binary: true });
    else ws.send(data, { binary: isBinary });
  });
  const writer = every > 0 && setInterval(() => ws.send(Buffer.alloc(100)), Number(every));
  ws.on('close', (code) => {
    clearInterval(writer);
    console.log(`end ${port} ${process.hrtime.bigint()} ${code}`);
  });
});

setInterval(() => {
  wss.clients.forEach((ws) => {
    if (ws.isAlive === false) return ws.terminate();
    ws.isAlive = false;
    ws.ping();
  });
}, Number(sweep));

createInterface({ input: process.stdin })
  .on('line', () => console.log('stats {}'))
  .on('close', () => process.exit(0));
