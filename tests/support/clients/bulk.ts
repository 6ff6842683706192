import { createCipheriv, createHash, type Hash } from 'node:crypto';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { expect } from 'vitest';
import type { Session } from '../../../src/tunnels/ssh/session.ts';
import { type LoopbackServer, listenLoopback } from '../peers/loopback.ts';
import { loopback, never, originator } from './ssh-session.ts';

/** How many bytes, and their running SHA-256 in hex. */
export interface Digest {
  readonly bytes: number;
  readonly sha256: string;
}

export interface BulkPlan {
  /** Which stream: equal seeds give equal bytes. */
  readonly seed: number;
  readonly bytes: number;
}

/** Reproducible bytes that no compressor or accident can imitate: the AES-CTR key stream of the seed. */
export function* bulkBytes({ seed, bytes }: BulkPlan, chunk = 256 * 1024): Generator<Buffer> {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(seed);
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(chunk);
  for (let left = bytes; left > 0; left -= chunk) yield cipher.update(zeros.subarray(0, Math.min(chunk, left)));
}

/** The digest of an unaltered copy of the stream. */
export function bulkDigest(plan: BulkPlan): Digest {
  const hash = createHash('sha256');
  for (const chunk of bulkBytes(plan)) hash.update(chunk);
  return { bytes: plan.bytes, sha256: hash.digest('hex') };
}

/** Sends `there` through a channel of the session to a server that sends `back`. Expects both ways to be unaltered. */
export async function expectBulk(session: Pick<Session, 'open'>, there: BulkPlan, back: BulkPlan): Promise<void> {
  await using target = await startBulkServer(back);
  const { stream } = await session.open(loopback(target.port), originator, never);
  const [sent, got] = await Promise.all([target.received(), exchangeBulk(stream, there)]);
  expect(sent).toEqual({ ...bulkDigest(there), end: 'fin' });
  expect(got).toEqual({ ...bulkDigest(back), end: 'fin' });
}

export interface BulkServer extends LoopbackServer {
  /** What each client gets. */
  readonly plan: BulkPlan;
  /** The bytes of the next connection (in order of acceptance, each once) up to its end or failure. */
  received(): Promise<Digest & { end: 'fin' | 'error' }>;
}

/** Sends `plan` to every client and reads what it sends, both at once: a source, a sink (`bytes: 0`), or both. */
export async function startBulkServer(plan: BulkPlan = { seed: 0, bytes: 0 }): Promise<BulkServer> {
  const results: Promise<Digest & { end: 'fin' | 'error' }>[] = [];
  const waiting: ((result: Promise<Digest & { end: 'fin' | 'error' }>) => void)[] = [];
  const server = await listenLoopback((socket) => {
    const result = drain(socket);
    const next = waiting.shift();
    if (next === undefined) results.push(result);
    else next(result);
    void send(socket, plan);
  });
  return {
    ...server,
    plan,
    received: () => {
      const ready = results.shift();
      return ready ?? new Promise((resolve) => waiting.push(resolve));
    },
  };
}

/** Connects to the port (or takes the connection), sends `plan`, half-closes, and reads to the end, both ways at once. */
export async function exchangeBulk(peer: number | Duplex, plan: BulkPlan): Promise<Digest & { end: 'fin' | 'error' }> {
  const socket = typeof peer === 'number' ? connect({ host: '127.0.0.1', port: peer, allowHalfOpen: true }) : peer;
  socket.on('error', () => {});
  const received = drain(socket);
  // Not 'end' alone: the other direction may be done while our last bytes still wait for the kernel.
  const over = new Promise((resolve) => socket.once('close', resolve));
  if (typeof peer !== 'number') closeAtBothEnds(peer);
  await send(socket, plan);
  await over;
  return await received;
}

/** Ends the channel once both directions have ended, as a relay does: asyncssh leaves some such channels open. */
function closeAtBothEnds(channel: Duplex): void {
  let open = 2;
  const sideEnded = () => --open === 0 && channel.destroy();
  channel.once('end', sideEnded).once('finish', sideEnded);
}

async function send(socket: Duplex, plan: BulkPlan): Promise<void> {
  for (const chunk of bulkBytes(plan)) {
    if (socket.destroyed) return;
    if (!socket.write(chunk)) await writable(socket);
  }
  socket.end();
}

function writable(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      socket.off('drain', settle).off('close', settle);
      resolve();
    };
    socket.once('drain', settle).once('close', settle);
  });
}

function drain(socket: Duplex): Promise<Digest & { end: 'fin' | 'error' }> {
  const hash: Hash = createHash('sha256');
  let bytes = 0;
  return new Promise((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    const finish = (end: 'fin' | 'error') => resolve({ bytes, sha256: hash.copy().digest('hex'), end });
    socket.once('end', () => finish('fin'));
    socket.once('close', () => finish('error'));
  });
}
