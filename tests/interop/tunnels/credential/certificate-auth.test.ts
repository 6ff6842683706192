import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { usableIdentities } from '../../../../src/tunnels/credential/agent-identities.ts';
import { checkUserCertificate } from '../../../../src/tunnels/credential/certificate-gate.ts';
import { authMethods, loadCredential } from '../../../../src/tunnels/credential/credential.ts';
import { listIdentities } from '../../../../src/tunnels/ssh/agent-client.ts';
import { parseCertificate } from '../../../../src/tunnels/ssh/certificate/certificate.ts';
import { isCertificateBlob } from '../../../../src/tunnels/ssh/certificate/certificate-type.ts';
import { agentAuth } from '../../../../src/tunnels/ssh/user-auth.ts';
import {
  type CertificateAuthority,
  makeCertificateAuthority,
  type SigningOptions,
} from '../../../support/certificates/certificate-authority.ts';
import { certified, echoed, login } from '../../../support/certificates/certified-login.ts';
import { generateKey, type KeyFile, type KeyOptions } from '../../../support/certificates/keys.ts';
import { loopback, never, originator } from '../../../support/clients/ssh-session.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { type SshAgent, startSshAgent } from '../../../support/peers/ssh-agent.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

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

  it.each(matrix)('logs in with a %s key certified by %s, and opens a channel', async (name, authority) => {
    const line = sign({ by: authority }, name);
    const certificate = parseCertificate(line);
    expect(checkUserCertificate(certificate, { publicKey: certificate.keyBlob }, Date.now())).toBeUndefined();
    const session = await login(sshd, certified(sshd.user, key(name), line));
    expect(await echoed(session, echo.port)).toBe('through the session');
    await session.end();
  });

  const yes = 'atm-fleet-mesh';
  interface Refusal {
    sign: SigningOptions;
    /** Result of the local check; undefined: the local check cannot know. */
    gate?: { code: string; message: RegExp };
    /** Line in the log of sshd. */
    log: RegExp;
  }
  const refusals: Record<string, Refusal> = {
    expired: {
      sign: { validity: '-2h:-1h', keyId: 'expired' },
      gate: { code: 'cert_expired', message: /expired at/ },
      log: /Certificate invalid: expired/,
    },
    future: {
      sign: { validity: '+1h:+2h', keyId: 'future' },
      gate: { code: 'cert_not_yet_valid', message: /not valid before/ },
      log: /Certificate invalid: not yet valid/,
    },
    'for another principal': {
      sign: { principals: ['agt-operator'], keyId: 'principal' },
      gate: {
        code: 'cert_wrong_principal',
        message: /has the principals \[agt-operator\], but \[atm-fleet-mesh\] are required/,
      },
      log: /Certificate does not contain an authorized principal/,
    },
    'for no principal': {
      sign: { principals: [], keyId: 'none' },
      gate: { code: 'cert_invalid', message: /no principal/ },
      log: /Certificate lacks principal list|does not contain an authorized principal/,
    },
    'bound to another address': {
      sign: { options: ['source-address=192.0.2.1/32'], keyId: 'address' },
      log: /Authentication tried for .* with valid certificate but not from a permitted source address/,
    },
    'with an unknown critical option': {
      sign: { options: ['critical:weird@example.com=x'], keyId: 'critical' },
      gate: { code: 'cert_invalid', message: /critical option weird@example.com/ },
      log: /critical option "weird@example.com" is not supported/i,
    },
    'for a host': {
      sign: { role: 'host', keyId: 'host' },
      gate: { code: 'cert_invalid', message: /for a host/ },
      log: /Certificate invalid: not a user certificate/,
    },
  };
  it.each(Object.entries(refusals))(
    'rejects a certificate that is %s before sshd does, if the node can know',
    async (_, refusal) => {
      const line = sign(refusal.sign);
      const certificate = parseCertificate(line);
      const error = checkUserCertificate(
        certificate,
        { publicKey: certificate.keyBlob, principals: [yes], caFingerprints: [ca().key.fingerprint] },
        Date.now(),
      );
      expect(error?.code).toBe(refusal.gate?.code);
      expect(error?.message ?? '').toMatch(refusal.gate?.message ?? /^$/);
      await expect(login(sshd, certified(sshd.user, key('ed25519'), line))).rejects.toMatchObject({
        code: 'auth_rejected',
      });
      await waitUntil('sshd says why', () => refusal.log.test(sshd.log()), 5_000, sshd.log);
    },
  );

  it('rejects a certificate by another CA when CAs are pinned, as sshd does', async () => {
    const stranger = makeCertificateAuthority(temp.path, 'ca-stranger');
    const line = stranger.sign(key('ed25519'));
    const certificate = parseCertificate(line);
    const expected = { publicKey: certificate.keyBlob, caFingerprints: [ca().key.fingerprint] };
    expect(checkUserCertificate(certificate, expected, Date.now())?.message).toContain(stranger.key.fingerprint);
    await expect(login(sshd, certified(sshd.user, key('ed25519'), line))).rejects.toMatchObject({
      code: 'auth_rejected',
    });
  });

  it('rejects a certificate without permit-port-forwarding, because it logs in but opens no channel', async () => {
    const line = sign({ options: ['clear', 'permit-pty'] });
    const certificate = parseCertificate(line);
    expect(checkUserCertificate(certificate, { publicKey: certificate.keyBlob }, Date.now())?.message).toContain(
      'permit-port-forwarding',
    );
    const session = await login(sshd, certified(sshd.user, key('ed25519'), line));
    await expect(session.open(loopback(echo.port), originator, never)).rejects.toMatchObject({
      code: 'forward_denied',
    });
    await session.end();
  });

  it('offers SHA-256 as second choice to a server that accepts RSA certificates only with SHA-256', async () => {
    await using narrow = await startSshd({
      extraConfig: [...trust, 'PubkeyAcceptedAlgorithms rsa-sha2-256-cert-v01@openssh.com'],
    });
    const session = await login(narrow, certified(narrow.user, key('rsa'), sign({}, 'rsa')));
    expect(await echoed(session, echo.port)).toBe('through the session');
    await session.end();
  });

  describe.skipIf(!has('ssh-agent'))('in an ssh-agent', { concurrent: true }, () => {
    const held = (agent: SshAgent) => listIdentities(agent.socket, never);
    const logins = (log: string) =>
      [...log.matchAll(/Accepted publickey for \S+ from .* ssh2: (\S+)/g)].map(([, type]) => type);

    it.each(Object.keys(USER_KEYS))('logs in with a %s certificate of ssh-agent', async (name) => {
      await using agent = await startSshAgent();
      const line = sign({}, name);
      await agent.add(withCertificate(temp.path, key(name), line));
      await using own = await startSshd({ extraConfig: trust });
      writeFileSync(own.authorizedKeysFile, '');
      const session = await login(own, agentAuth(own.user, agent.socket, await held(agent)));
      expect(await echoed(session, echo.port)).toBe('through the session');
      await session.end();
      await waitUntil('sshd has logged the login', () => logins(own.log()).length > 0, 5_000, own.log);
      expect(logins(own.log())).toEqual([expect.stringMatching(/-CERT$/)]);
    });

    it('logs in with a plain key of ssh-agent, alone or beside a rejected certificate', async () => {
      await using agent = await startSshAgent();
      await using own = await startSshd({ clientKey: { type: 'rsa' } });
      await agent.add(withCertificate(temp.path, key('ed25519'), sign()));
      await agent.add(own.clientKeyFile);
      const all = usableIdentities(await held(agent), {}, Date.now());
      expect(all.map(isCertificateBlob)).toEqual([true, false, false]);
      for (const offered of [all, all.filter((blob) => !isCertificateBlob(blob))]) {
        const session = await login(own, agentAuth(own.user, agent.socket, offered));
        expect(await echoed(session, echo.port)).toBe('through the session');
        await session.end();
      }
      await waitUntil('sshd has logged both logins', () => logins(own.log()).length > 1, 5_000, own.log);
      expect(logins(own.log())).toEqual(['RSA', 'RSA']);
    });

    it('does not offer unusable identities of ssh-agent', async () => {
      await using agent = await startSshAgent();
      await agent.add(withCertificate(temp.path, key('ed25519'), sign({ validity: '-2h:-1h', keyId: 'in the agent' })));
      const env = { SSH_AUTH_SOCK: agent.socket };
      const credential = await loadCredential({ key: { kind: 'agent' } }, env, never);
      await using own = await startSshd({ extraConfig: trust });
      await expect(login(own, authMethods(credential, own.user))).rejects.toMatchObject({ code: 'auth_rejected' });
      await waitUntil('sshd has logged the refusal', () => own.log().includes('Failed publickey'), 5_000, own.log);
      expect(own.log()).not.toContain('ED25519-CERT');
    });
  });
});

/** A copy of the key with the certificate beside it, for ssh-add. */
function withCertificate(directory: string, key: KeyFile, line: string): string {
  const path = join(directory, `held-${++held}`);
  copyFileSync(key.path, path);
  writeFileSync(`${path}-cert.pub`, line);
  return path;
}
let held = 0;
