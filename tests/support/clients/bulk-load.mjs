// A process of its own, which takes no time from the test: an echo target, and clients that send and read without a pause.
// Prints the port of the target; reads the ports to connect to, one a line; prints the echoed bytes at SIGTERM.
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const piece = Buffer.alloc(64 * 1024);
let echoed = 0;

const target = createServer({ noDelay: true }, (socket) => socket.on('error', () => {}).pipe(socket));
target.listen(0, '127.0.0.1', () => process.stdout.write(`${target.address().port}\n`));

createInterface({ input: process.stdin }).on('line', (port) => {
  const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
  const send = () => {
    while (socket.writable && socket.write(piece));
  };
  socket.on('connect', send).on('drain', send);
  socket.on('data', ({ length }) => {
    echoed += length;
  });
});

process.on('SIGTERM', () => process.stdout.write(`${echoed}\n`, () => process.exit(0)));
