import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ParsedKey } from 'ssh2';
import { parseCertificate } from '../../../src/tunnels/ssh/certificate/certificate.ts';
import { dial } from '../../../src/tunnels/ssh/dial.ts';
import type { RekeyLimits } from '../../../src/tunnels/ssh/key-exchange/rekeying.ts';
import { openSession } from '../../../src/tunnels/ssh/open-session.ts';
import { parsePrivateKey } from '../../../src/tunnels/ssh/private-key.ts';
import type { Session } from '../../../src/tunnels/ssh/session.ts';
import { certificateAuth, publicKeyAuth, type UserAuth } from '../../../src/tunnels/ssh/user-auth.ts';
import { loopback, never, originator } from '../clients/ssh-session.ts';
import type { Sshd } from '../peers/real-sshd.ts';
import type { KeyFile } from './keys.ts';

/** No test measures these logins. */
const ENDS_A_HANG_MS = 60_000;

/** A login with the certificate in a line, without our checks. */
export function certified(user: string, key: KeyFile, line: string): UserAuth {
  return certificateAuth(user, readKey(key.path), parseCertificate(line));
}

/** A login with the key that the server knows. */
export function byKey({ user, clientKeyFile }: Pick<Sshd, 'user' | 'clientKeyFile'>): UserAuth {
  return publicKeyAuth(user, readKey(clientKeyFile));
}

function readKey(path: string): ParsedKey {
  const parsed = parsePrivateKey(readFileSync(path), undefined);
  if (parsed === undefined) throw new Error(`${path} cannot be read`);
  return parsed.key;
}

export async function login(
  sshd: Pick<Sshd, 'port' | 'user'>,
  authMethods: UserAuth,
  rekey?: RekeyLimits,
): Promise<Session> {
  const socket = await dial({ host: '127.0.0.1', port: sshd.port, timeoutMs: ENDS_A_HANG_MS }, never);
  const options = { peer: 'sshd', username: sshd.user, offered: 'a certificate', stepTimeoutMs: ENDS_A_HANG_MS };
  const hostKey = { algorithms: ['ssh-ed25519'] as const, verify: () => undefined };
  const keepalive = { everyMs: 5_000, lostAfter: 3 };
  return openSession(socket, { ...options, authMethods, hostKey, keepalive, ...(rekey && { rekey }) }, never);
}

/** The answer of an echo service through the session. */
export async function echoed(session: Pick<Session, 'open'>, port: number): Promise<string> {
  const { stream } = await session.open(loopback(port), originator, never);
  stream.end('through the session');
  const [answer] = await once(stream, 'data');
  return String(answer);
}
