import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { SERVER_OPTIONS } from '../../../../src/base/net/listener.ts';
import { relay } from '../../../../src/tunnels/forward/relay.ts';
import { bulkBytes } from '../../../support/clients/bulk.ts';
import { connectSession, loopback, never, originator } from '../../../support/clients/ssh-session.ts';
import { startEmbeddedSshd } from '../../../support/peers/embedded-sshd.ts';
import { listenLoopback } from '../../../support/peers/loopback.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const contentOf = (seed: number, bytes: number) => Buffer.concat([...bulkBytes({ seed, bytes })]);
const there = contentOf(1, 3_000_000);
const back = contentOf(2, 3_000_000);
/** More than the buffers of the kernel and the window of a channel hold. */
const longThere = contentOf(3, 12_000_000);
const longBack = contentOf(4, 12_000_000);

/** Reads all that arrives, from the start or from `go` on. */
function collect(socket: Socket) {
  const pieces: Buffer[] = [];
  socket.on('error', () => {});
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  return {
    bytes: () => Buffer.concat(pieces),
    // Node may report a reset as an end.
    over: new Promise((resolve) => socket.once('end', resolve).once('close', resolve)),
    pause: () => socket.pause(),
    go: () => socket.resume(),
  };
}

/** Sends in pieces, so that the reads of several clients alternate. */
async function send(socket: Socket, content: Buffer): Promise<void> {
  for (let at = 0; at < content.length && socket.writable; at += 100_000) {
    if (socket.write(content.subarray(at, at + 100_000))) continue;
    await new Promise<void>((resolve) => socket.once('drain', resolve).once('close', resolve));
  }
  socket.end();
}

/** A session with a local listener that relays each client to a target. */
async function start() {
  const targets: (ReturnType<typeof collect> & { readonly socket: Socket })[] = [];
  const target = await listenLoopback((socket) => void targets.push({ ...collect(socket), socket }));
  const sshd = await startEmbeddedSshd();
  const session = await connectSession(sshd);
  const listener = await listenLoopback(async (socket) => {
    const channel = await session.open(loopback(target.port), originator, never);
    await relay(socket, channel, never);
  }, SERVER_OPTIONS);
  /** A client, and the connection of the target that belongs to the client. */
  const join = async () => {
    const socket = connect({ host: '127.0.0.1', port: listener.port, allowHalfOpen: true });
    const client = { ...collect(socket), socket };
    const number = targets.length;
    await waitUntil('the target has a connection', () => targets.length > number);
    const far = targets[number];
    if (!far) throw new Error('no connection');
    return { client, far };
  };
  const stop = async () => {
    await session.end();
    await listener.stop();
    await sshd[Symbol.asyncDispose]();
    await target.stop();
  };
  return { sshd, join, [Symbol.asyncDispose]: stop };
}

describe('memory that the data path uses again', () => {
  it('changes no byte of slow readers on either side beside fast ones, over one session, up to their half-closes', async () => {
    await using path = await start();
    const slow = [await path.join(), await path.join()];
    const fast = [await path.join(), await path.join(), await path.join()];
    for (const { client, far } of slow) {
      client.pause();
      far.pause();
    }
    const all = [
      ...slow.map((each) => ({ ...each, there: longThere, back: longBack })),
      ...fast.map((each) => ({ ...each, there, back })),
    ];
    const sent = all.flatMap((each) => [send(each.client.socket, each.there), send(each.far.socket, each.back)]);
    await Promise.all(fast.map(({ client }) => client.over));
    for (const { client, far } of slow) {
      client.go();
      far.go();
    }
    await Promise.all([...sent, ...all.flatMap(({ client, far }) => [client.over, far.over])]);
    for (const each of all) {
      expect(each.client.bytes().equals(each.back)).toBe(true);
      expect(each.far.bytes().equals(each.there)).toBe(true);
    }
  });

  it('reaches others unchanged after a reset, and a slow reader as far as the session lived', async () => {
    await using path = await start();
    const slow = await path.join();
    const reset = await path.join();
    const fast = await path.join();
    slow.client.pause();
    reset.client.pause();
    for (const { far } of [slow, reset]) void send(far.socket, longBack);
    await waitUntil('the slow readers hold up their targets', () => slow.far.socket.writableNeedDrain);
    reset.client.socket.resetAndDestroy();
    await send(fast.far.socket, back);
    fast.client.socket.end();
    await fast.client.over;
    expect(fast.client.bytes().equals(back)).toBe(true);

    path.sshd.killSessions();
    slow.client.go();
    await slow.client.over;
    const got = slow.client.bytes();
    expect(got.length).toBeLessThan(longBack.length);
    expect(got.equals(longBack.subarray(0, got.length))).toBe(true);
  });
});
