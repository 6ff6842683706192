import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ConnectStep, LinkSession } from '../../../../src/tunnels/link/session.ts';
import {
  type CertificateAuthority,
  makeCertificateAuthority,
  type SigningOptions,
} from '../../../support/certificates/certificate-authority.ts';
import type { KeyFile, KeyType } from '../../../support/certificates/keys.ts';
import { NEED, never, prepareByKey } from '../../../support/clients/ssh-session.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, linkOf, startMesh } from '../../../support/daemon/mesh.ts';
import { actorConfig, hostConfig } from '../../../support/fakes/fake-link.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

interface Certified extends AsyncDisposable {
  readonly sshd: Sshd;
  readonly ca: CertificateAuthority;
  /** Signs the current host key, and makes sshd present the certificate. */
  certify(options?: SigningOptions, by?: CertificateAuthority): Promise<void>;
  /** Writes known_hosts; default: the CA for every host. */
  know(...lines: string[]): void;
}

/** A server with a host key certified for 127.0.0.1; known_hosts has only the CA. */
async function startCertified(signing: SigningOptions = {}, type: KeyType = 'ed25519'): Promise<Certified> {
  const sshd = await startSshd({ hostKeyTypes: [type] });
  const ca = makeCertificateAuthority(sshd.directory, 'host_ca');
  const know = (...lines: string[]) => writeFileSync(sshd.knownHostsFile, `${lines.join('\n')}\n`);
  const certify: Certified['certify'] = async (options = {}, by = ca) => {
    const [key] = sshd.hostKeys() as [KeyFile];
    const path = join(sshd.directory, 'host-cert.pub');
    writeFileSync(path, by.sign(key, { role: 'host', principals: ['127.0.0.1'], ...options }));
    await sshd.restart({ extraConfig: [`HostCertificate ${path}`, 'LogLevel DEBUG1'] });
  };
  await certify(signing);
  know(`@cert-authority * ${ca.key.publicKey}`);
  return { sshd, ca, certify, know, [Symbol.asyncDispose]: () => sshd[Symbol.asyncDispose]() };
}

async function connect(sshd: Sshd, onStep?: (step: ConnectStep) => void): Promise<LinkSession> {
  const { port, user, knownHostsFile: knownHosts } = sshd;
  const host = { ...hostConfig, address: '127.0.0.1', port, user, knownHosts, connectTimeoutMs: 20_000 };
  const key = { kind: 'file', path: sshd.clientKeyFile, passphraseFile: undefined } as const;
  const attempt = await prepareByKey(host, { ...actorConfig, key }, NEED);
  return attempt.connect(never, { kind: 'direct', avoid: [] }, onStep);
}

const logins = (sshd: Sshd) => sshd.log().split('Accepted publickey').length - 1;
const connections = (sshd: Sshd) => sshd.log().split('Connection from').length - 1;

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('a host known by its CA', { concurrent: true }, () => {
  it.each(['ed25519', 'ecdsa', 'rsa'] as const)(
    'connects to a host with a certified %s key, and fetches the certificate once',
    async (type) => {
      await using host = await startCertified({}, type);
      for (const _ of [1, 2]) {
        const steps: string[] = [];
        const session = await connect(host.sshd, ({ name }) => steps.push(name));
        expect(steps).toEqual(['dns', 'tcp', 'banner', 'kex', 'auth']);
        expect(session.facts.hostKey).toBe(host.sshd.hostKeys()[0]?.fingerprint);
        await session.end();
      }
      await waitUntil('sshd has logged both logins', () => logins(host.sshd) >= 2, 5_000, host.sshd.log);
      expect([connections(host.sshd), logins(host.sshd)]).toEqual([3, 2]);
    },
  );

  it('connects by a known plain key without fetching the certificate', async () => {
    await using host = await startCertified({ validity: '-2h:-1h' });
    host.know(
      `[127.0.0.1]:${host.sshd.port} ${host.sshd.hostKeys()[0]?.publicKey}`,
      `@cert-authority * ${host.ca.key.publicKey}`,
    );
    await (await connect(host.sshd)).end();
    await waitUntil('sshd has logged the login', () => logins(host.sshd) >= 1, 5_000, host.sshd.log);
    expect(connections(host.sshd)).toBe(1);
  });

  it.each<[string, SigningOptions, RegExp]>([
    ['expired', { validity: '-2h:-1h' }, /expired at/],
    ['not valid yet', { validity: '+1h:+2h' }, /not valid before/],
    ['for another name', { principals: ['elsewhere.example'] }, /is for \[elsewhere\.example\], not for 127\.0\.0\.1/],
    ['for no name', { principals: [] }, /is for no name/],
    ['a user certificate', { role: 'user' }, /presented a user certificate/],
  ])('rejects a host with a certificate that is %s', async (_, signing, message) => {
    await using host = await startCertified(signing);
    await expect(connect(host.sshd)).rejects.toMatchObject({
      code: 'host_cert_invalid',
      message: expect.stringMatching(message),
    });
    expect(host.sshd.log()).not.toContain('Accepted publickey');
  });

  it('rejects a host with a certificate by another CA, and without a certificate', async () => {
    await using host = await startCertified();
    const stranger = makeCertificateAuthority(host.sshd.directory, 'stranger');
    await host.certify({}, stranger);
    await expect(connect(host.sshd)).rejects.toMatchObject({
      code: 'host_cert_invalid',
      message: expect.stringContaining(
        `is signed by ${stranger.key.fingerprint}, but known_hosts has ${host.ca.key.fingerprint}`,
      ),
    });
    await host.sshd.restart({ extraConfig: [] });
    await expect(connect(host.sshd)).rejects.toMatchObject({
      code: 'host_cert_invalid',
      message: expect.stringContaining('presented no host certificate'),
    });
  });

  it('rejects a host when its CA or its key is revoked', async () => {
    await using host = await startCertified();
    const [key] = host.sshd.hostKeys();
    await (await connect(host.sshd)).end();
    for (const revoked of [host.ca.key.publicKey, key?.publicKey]) {
      host.know(`@cert-authority * ${host.ca.key.publicKey}`, `@revoked * ${revoked}`);
      await expect(connect(host.sshd)).rejects.toMatchObject({
        code: 'host_key_changed',
        message: expect.stringContaining('revoked'),
      });
    }
    await waitUntil('sshd has logged the login', () => logins(host.sshd) >= 1, 5_000, host.sshd.log);
    expect(logins(host.sshd)).toBe(1);
  });

  it('connects at the second attempt after the host gets a new key and certificate', async () => {
    await using host = await startCertified();
    await (await connect(host.sshd)).end();
    await host.sshd.restart({ newHostKey: true });
    await host.certify();
    await expect(connect(host.sshd)).rejects.toMatchObject({ code: 'kex_failed', retryable: true });
    await (await connect(host.sshd)).end();
  });

  it('serves a host known by its CA in the daemon, directly and over a jump host', async () => {
    await using host = await startCertified();
    await using jump = await startCertified();
    await using echo = await startEcho();
    await using mesh = await startMesh({
      sshd: host.sshd,
      host: { jump: { host: 'bastion', actor: 'agt-bastion' } },
      hosts: {
        bastion: {
          address: '127.0.0.1',
          port: jump.sshd.port,
          user: jump.sshd.user,
          known_hosts: jump.sshd.knownHostsFile,
        },
      },
      actors: { 'agt-bastion': { key: jump.sshd.clientKeyFile } },
      tunnels: { echo: { target: echo.port } },
    });
    const status = await mesh.waitFor(
      (each) => hasSessions(2)(each) && each.links.every(({ state }) => state === 'up'),
    );
    await echoOnce(mesh.port('echo'));
    expect(status.links.flatMap(({ sessions }) => sessions.map(({ host_key }) => host_key))).toEqual(
      expect.arrayContaining([host.sshd.hostKeys()[0]?.fingerprint, jump.sshd.hostKeys()[0]?.fingerprint]),
    );
    // The connection that fetches the certificate goes over the jump host as well.
    const carried = () => jump.sshd.log().split(`target 127.0.0.1 port ${host.sshd.port}`).length - 1;
    // Two sessions and the certificate; more, if the sessions met on one session of the jump host and were spread.
    await waitUntil('both servers have logged each', () => carried() >= 3 && connections(host.sshd) === carried());
  });

  it('blocks the link to a host without a valid certificate, and does not retry', async () => {
    await using host = await startCertified({ principals: ['elsewhere.example'] });
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd: host.sshd, tunnels: { echo: { target: echo.port } } });
    const blocked = await mesh.waitFor((status) => linkOf(status).state === 'blocked');
    expect(linkOf(blocked).last_error).toMatchObject({ code: 'host_cert_invalid' });
    await echoOnce(mesh.port('echo'), 'hello', 1_500).catch(() => {});
    expect(connections(host.sshd)).toBe(1);
    await host.certify();
    await mesh.reload();
    await mesh.waitForTunnel('up');
    expect(readFileSync(host.sshd.knownHostsFile, 'utf8')).toBe(`@cert-authority * ${host.ca.key.publicKey}\n`);
  });
});
