import { connect, type Socket } from 'node:net';
import { type LoopbackServer, listenLoopback } from '../../tests/support/peers/loopback.ts';

/** A relay holds at most so many bytes in each direction: more than a line of 100 ms carries at the rates measured. */
const MOST_BYTES = 64 * 1024 * 1024;

/** A relay in front of `port` that delays each direction by half of the round trip: a long line without loss. */
export function startDelayRelay(port: number, roundTripMs: number): Promise<LoopbackServer> {
  return listenLoopback((near) => {
    near.setNoDelay(true);
    const far = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
    delay(near, far, roundTripMs / 2);
    delay(far, near, roundTripMs / 2);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const)
      socket.on('error', () => {}).once('close', () => other.destroy());
  });
}

function delay(from: Socket, to: Socket, ms: number): void {
  let held = 0;
  const later = (act: () => void) => setTimeout(act, ms);
  from.on('data', (chunk: Buffer) => {
    held += chunk.length;
    if (held > MOST_BYTES) from.pause();
    later(() => {
      held -= chunk.length;
      to.write(chunk);
      if (held <= MOST_BYTES) from.resume();
    });
  });
  from.on('end', () => later(() => to.end()));
}
