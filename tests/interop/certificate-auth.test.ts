import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkUserCertificate } from '../../src/credential/certificate-gate.ts';
import { parseCertificate } from '../../src/ssh/certificate.ts';
import { dial } from '../../src/ssh/dial.ts';
import { parsePrivateKey } from '../../src/ssh/private-key.ts';
import { openSession, type Session } from '../../src/ssh/session.ts';
import { certificateAuth, type UserAuth } from '../../src/ssh/user-auth.ts';
import { has } from '../support/capabilities.ts';
import {
  type CertificateAuthority,
  makeCertificateAuthority,
  type SigningOptions,
} from '../support/certificate-authority.ts';
import { generateKey, type KeyFile, type KeyOptions } from '../support/keys.ts';
import { type Sshd, startSshd } from '../support/real-sshd.ts';
import { loopback, never, originator } from '../support/ssh-session.ts';
import { startEcho } from '../support/targets.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';

const USER_KEYS: Record<string, KeyOptions> = {
  ed25519: {},
  'ecdsa-256': { type: 'ecdsa', bits: 256 },
  'ecdsa-384': { type: 'ecdsa', bits: 384 },
  'ecdsa-521': { type: 'ecdsa', bits: 521 },
  rsa: { type: 'rsa', bits: 2048 },
};
const AUTHORITIES: Record<string, { key: KeyOptions; algorithm?: string }> = {
  ed25519: { key: {} },
  ecdsa: { key: { type: 'ecdsa' } },
  'rsa-sha2-512': { key: { type: 'rsa' }, algorithm: 'rsa-sha2-512' },
  'rsa-sha2-256': { key: { type: 'rsa' }, algorithm: 'rsa-sha2-256' },
};
const matrix = Object.keys(USER_KEYS).flatMap((key) => Object.keys(AUTHORITIES).map((ca) => [key, ca] as const));

function privateKey(file: KeyFile) {
  const parsed = parsePrivateKey(readFileSync(file.path), undefined);
  if (parsed === undefined) throw new Error(`${file.path} cannot be read`);
  return parsed.key;
}

function auth(user: string, file: KeyFile, line: string): UserAuth {
  return certificateAuth(user, privateKey(file), parseCertificate(line));
}

async function login(sshd: Sshd, authMethods: UserAuth): Promise<Session> {
  const socket = await dial({ host: '127.0.0.1', port: sshd.port, timeoutMs: 5_000 }, never);
  const options = { peer: 'sshd', username: sshd.user, credential: 'a certificate', stepTimeoutMs: 10_000 };
  const hostKey = { algorithms: ['ssh-ed25519'] as const, verify: () => undefined };
  const keepalive = { everyMs: 5_000, lostAfter: 3 };
  return openSession(socket, { ...options, authMethods, hostKey, keepalive }, never);
}

async function echoed(session: Session, port: number): Promise<string> {
  const { stream } = await session.open(loopback(port), originator, never);
  stream.end('through the certificate');
  const [answer] = await once(stream, 'data');
  return String(answer);
}

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('certificates', { concurrent: true }, () => {
  let temp: TempDir;
  let sshd: Sshd;
  let echo: Awaited<ReturnType<typeof startEcho>>;
  const keys = new Map<string, KeyFile>();
  const authorities = new Map<string, CertificateAuthority>();
  let trust: string[];
  const key = (name: string): KeyFile => keys.get(name) as KeyFile;
  const ca = (name = 'ed25519'): CertificateAuthority => authorities.get(name) as CertificateAuthority;
  const sign = (options: SigningOptions & { by?: string } = {}, name = 'ed25519') =>
    ca(options.by).sign(key(name), {
      algorithm: AUTHORITIES[options.by ?? 'ed25519']?.algorithm,
      ...options,
    } as SigningOptions);

  beforeAll(async () => {
    temp = tempDir('certificates');
    for (const [name, options] of Object.entries(USER_KEYS))
      keys.set(name, generateKey(join(temp.path, name), options));
    for (const [name, { key: options }] of Object.entries(AUTHORITIES))
      authorities.set(name, makeCertificateAuthority(temp.path, `ca-${name}`, options));
    const trusted = join(temp.path, 'trusted');
    writeFileSync(trusted, [...authorities.values()].map((each) => `${each.key.publicKey}\n`).join(''));
    const principals = join(temp.path, 'principals');
    writeFileSync(principals, 'atm-fleet-mesh\n');
    trust = [`TrustedUserCAKeys ${trusted}`, `AuthorizedPrincipalsFile ${principals}`, 'LogLevel DEBUG1'];
    sshd = await startSshd({ extraConfig: trust });
    echo = await startEcho();
  });
  afterAll(async () => {
    await sshd?.[Symbol.asyncDispose]();
    await echo?.[Symbol.asyncDispose]();
    temp?.[Symbol.dispose]();
  });

  it.each(matrix)('a %s key certified by %s logs in, and carries a channel', async (name, authority) => {
    const line = sign({ by: authority }, name);
    const certificate = parseCertificate(line);
    expect(checkUserCertificate(certificate, { publicKey: certificate.keyBlob }, Date.now())).toBeUndefined();
    const session = await login(sshd, auth(sshd.user, key(name), line));
    expect(await echoed(session, echo.port)).toBe('through the certificate');
    await session.end();
  });
});
