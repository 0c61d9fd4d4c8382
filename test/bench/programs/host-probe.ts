// Sends to the other machine and receives from it for a while: host-probe ADDRESS, which the first of the two has.
import { type Socket, connect, createServer } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

const [address] = process.argv.slice(2) as [string];
const [port, milliseconds, chunk] = [5001, 1500, new Uint8Array(2 ** 16)];
const isFirst = Object.values(networkInterfaces()).some((all) =>
  all?.some((each) => each.address === address),
);

if (isFirst) {
  const server = createServer((socket) => {
    server.close();
    exchange(socket);
  }).listen(port);
} else reach();

/** The other may not listen yet. */
function reach(): void {
  const socket = connect(port, address, () => exchange(socket));
  socket.once('error', () => setTimeout(reach, 50));
}

function exchange(socket: Socket): void {
  const began = performance.now();
  let received = 0;
  socket.on('data', (bytes) => (received += bytes.length));
  const send = (): void => {
    while (performance.now() - began < milliseconds && socket.write(chunk));
    if (performance.now() - began < milliseconds) socket.once('drain', send);
    else socket.end();
  };
  send();
  socket.on('end', () => {
    const seconds = (performance.now() - began) / 1000;
    process.stdout.write(`${JSON.stringify({ host: hostname(), received, seconds })}\n`);
  });
}
