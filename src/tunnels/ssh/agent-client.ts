import { connect } from 'node:net';
import type { SignatureAlgorithm } from './certificate/signature-algorithm.ts';
import { WireReader, wireString } from './wire.ts';

/** Message numbers and flags of the agent protocol (draft-ietf-sshm-ssh-agent, sections 3 and 6). */
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
const RSA_SHA2 = { sha256: 2, sha512: 4 } as const;

/** As OpenSSH has it (AGENT_MAX_LEN), in bytes. */
const MAX_ANSWER = 256 * 1024;

/** The public blob of each identity that the agent at `socket` holds, in its order: a key or a certificate. */
export async function listIdentities(socket: string, signal: AbortSignal): Promise<Buffer[]> {
  const answer = await ask(socket, Buffer.of(REQUEST_IDENTITIES), IDENTITIES_ANSWER, signal);
  const count = answer.uint32();
  const blobs: Buffer[] = [];
  while (blobs.length < count) {
    blobs.push(answer.string());
    answer.string(); // The comment.
  }
  return blobs;
}

/** The agent's signature by the identity `blob`, as it stands on the wire behind its algorithm's name. */
export async function signInAgent(
  socket: string,
  blob: Buffer,
  algorithm: SignatureAlgorithm,
  data: Buffer,
  signal: AbortSignal,
): Promise<Buffer> {
  const flags = Buffer.alloc(4);
  if (algorithm.hash !== undefined) flags.writeUInt32BE(RSA_SHA2[algorithm.hash]);
  const request = Buffer.concat([Buffer.of(SIGN_REQUEST), wireString(blob), wireString(data), flags]);
  const answer = await ask(socket, request, SIGN_RESPONSE, signal);
  const signature = new WireReader(answer.string());
  const name = signature.text();
  // An agent that ignores the flags signs with SHA-1; the server would only say no.
  if (name !== algorithm.name) throw new Error(`it signed with ${name} where ${algorithm.name} was asked for`);
  const bytes = signature.string();
  signature.end();
  return bytes;
}

/** One question over a connection of its own; the reader stands behind the message number of the answer. */
async function ask(path: string, request: Buffer, expected: number, signal: AbortSignal): Promise<WireReader> {
  signal.throwIfAborted();
  const reader = new WireReader(await exchange(path, wireString(request), signal));
  if (reader.byte() !== expected) throw new Error('it refused the request');
  return reader;
}

/** Resolves with the first whole answer. The wait is bounded by the signal alone: an agent may ask its user. */
function exchange(path: string, request: Buffer, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const chunks: Buffer[] = [];
    const finish = (settle: () => void) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      settle();
    };
    const onAbort = () => finish(() => reject(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', (error) => finish(() => reject(new Error(`it cannot be reached: ${error.message}`))));
    socket.on('close', () => finish(() => reject(new Error('it closed the connection'))));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      const received = Buffer.concat(chunks);
      if (received.length < 4) return;
      const length = received.readUInt32BE(0);
      if (length > MAX_ANSWER) finish(() => reject(new Error('its answer is too long')));
      else if (received.length >= 4 + length) finish(() => resolve(received.subarray(4, 4 + length)));
    });
    socket.write(request);
  });
}
