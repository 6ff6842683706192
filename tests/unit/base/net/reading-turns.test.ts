import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { readInTurns } from '../../../../src/base/net/reading-turns.ts';
import { spawnOwned } from '../../../support/machine/owned-process.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** Sends so many bytes, each with the number of its KiB, in a process of its own: as fast as somebody reads. */
const BYTES = 2 * 1024 * 1024;
const SOURCE = `const content = Buffer.alloc(${BYTES});
for (let at = 0; at < content.length; at++) content[at] = at >> 10;
require('node:net').createServer((socket) => socket.end(content))
  .listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;
/** The reader of a piece works so long, in milliseconds. */
const WORK_MS = 2;

test('gives all others a turn of the event loop after a few milliseconds, and misses no byte', async () => {
  await using source = spawnOwned(process.execPath, ['-e', SOURCE]);
  const port = Number(await waitUntil('the source listens', () => source.stdout().trim() || undefined));
  const memory = Buffer.alloc(16 * 1024);
  let received = 0;
  let wrong = 0;
  let inTurn = 0;
  let most = 0;
  const socket = connect({
    host: '127.0.0.1',
    port,
    onread: {
      buffer: memory,
      callback: (bytes, piece) => {
        readInTurns(socket, bytes);
        most = Math.max(most, ++inTurn);
        for (let at = 0; at < bytes; at += 512) if (piece[at] !== ((received + at) >> 10) % 256) wrong++;
        received += bytes;
        const until = performance.now() + WORK_MS;
        while (performance.now() < until);
        return true;
      },
    },
  });
  const turn = () => {
    inTurn = 0;
    if (!socket.destroyed) setImmediate(turn);
  };
  turn();
  await once(socket, 'close');
  expect({ received, wrong }).toEqual({ received: BYTES, wrong: 0 });
  // Node itself reads up to 32 times in a turn.
  expect(most).toBeLessThanOrEqual(4);
});
