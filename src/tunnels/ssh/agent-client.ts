import { connect } from 'node:net';
import type { SignatureAlgorithm } from './certificate/signature-algorithm.ts';
import { WireReader, wireString } from './wire.ts';

/** Message numbers and flags of the agent protocol (draft-ietf-sshm-ssh-agent, sections 3 and 6). */
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
const RSA_SHA2 = { sha256: 2, sha512: 4 } as const;

/** Limit of OpenSSH (AGENT_MAX_LEN), in bytes. */
const MAX_ANSWER = 256 * 1024;

/** The public blobs of the agent's identities, keys and certificates, in the agent's order. */
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

/** The agent's signature with the identity `blob`, in wire format, without the name of the algorithm. */
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
  // An agent that ignores the flags signs with SHA-1; a server would reject that without a reason.
  if (name !== algorithm.name) throw new Error(`wrong signature algorithm ${name}, requested ${algorithm.name}`);
  const bytes = signature.string();
  signature.end();
  return bytes;
}

/** Sends one request over a new connection; the reader is after the message number of the answer. */
async function ask(path: string, request: Buffer, expected: number, signal: AbortSignal): Promise<WireReader> {
  signal.throwIfAborted();
  const reader = new WireReader(await exchange(path, wireString(request), signal));
  if (reader.byte() !== expected) throw new Error('request refused');
  return reader;
}

/** Resolves with the first whole answer. Only the signal bounds the wait: an agent may ask its user. */
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
    socket.on('error', (error) => finish(() => reject(new Error(`connection failed: ${error.message}`))));
    socket.on('close', () => finish(() => reject(new Error('connection closed'))));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      const received = Buffer.concat(chunks);
      if (received.length < 4) return;
      const length = received.readUInt32BE(0);
      if (length > MAX_ANSWER) finish(() => reject(new Error('answer too long')));
      else if (received.length >= 4 + length) finish(() => resolve(received.subarray(4, 4 + length)));
    });
    socket.write(request);
  });
}
