import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ForwardStream } from '../../../../src/tunnels/ssh/packets/forward-stream.ts';
import { parsePrivateKey } from '../../../../src/tunnels/ssh/private-key.ts';
import { publicKeyAuth } from '../../../../src/tunnels/ssh/user-auth.ts';
import { login } from '../../../support/certificates/certified-login.ts';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { loopback, never, originator } from '../../../support/clients/ssh-session.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, linkOf, sessionIds, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { daemonHoldings, expectNothingLeaked } from '../../../support/machine/daemon-holdings.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';

const CIPHERS = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes256-ctr'];
const PATHS = [
  { path: 'own', env: { FLEET_MESH_DATA_PATH: undefined } },
  { path: 'plain', env: { FLEET_MESH_DATA_PATH: 'plain' } },
];

/** Both data paths, since one replaces the other when ssh2 changes. */
describe.skipIf(!has('sshd'))('the data path', { concurrent: true }, () => {
  const every = PATHS.flatMap((path) => CIPHERS.map((cipher) => ({ ...path, cipher })));

  it.each(every)(
    'carries 3 × 8 MB each way at once over $cipher with new keys every 1 MB: $path',
    async ({ env, cipher }) => {
      const [there, back] = [
        { seed: 1, bytes: 8_000_000 },
        { seed: 2, bytes: 8_000_000 },
      ] as const;
      await using sshd = await startSshd({ extraConfig: ['RekeyLimit 1M', `Ciphers ${cipher}`] });
      await using target = await startBulkServer(back);
      await using mesh = await startMesh({ sshd, env, tunnels: { bulk: { target: target.port } } });
      const up = await mesh.waitFor(hasSessions(2));
      expect(linkOf(up).sessions.map((session) => session.cipher)).toEqual([cipher, cipher]);

      const exchanges = Array.from({ length: 3 }, async () => exchangeBulk(mesh.port('bulk'), there));
      const sent = await Promise.all(exchanges.map(() => target.received()));
      const got = await Promise.all(exchanges);

      for (const each of sent) expect(each).toEqual({ ...bulkDigest(there), end: 'fin' });
      for (const each of got) expect(each).toEqual({ ...bulkDigest(back), end: 'fin' });
      // Rekeying looked like no loss.
      expect(sessionIds(await mesh.daemon.status())).toEqual(expect.arrayContaining(sessionIds(up)));
    },
  );

  it.each(PATHS)('leaves nothing behind after 500 connections, ten at a time: $path', async ({ env }) => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, env, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    const baseline = await daemonHoldings(mesh);
    let left = 500;
    const worker = async () => {
      while (left-- > 0) await echoOnce(mesh.port('echo'));
    };
    await Promise.all(Array.from({ length: 10 }, worker));
    await expectNothingLeaked(mesh, baseline);
  });

  it('uses its own channels with the installed ssh2, and the channels of ssh2 when a part of ssh2 is missing', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const key = parsePrivateKey(readFileSync(sshd.clientKeyFile), undefined);
    if (key === undefined) throw new Error('the key cannot be read');
    const withKey = publicKeyAuth(sshd.user, key.key);
    const own = await login(sshd, withKey);
    expect((await own.open(loopback(echo.port), originator, never)).stream).toBeInstanceOf(ForwardStream);
    await own.end();

    const plain = await login(sshd, (client) => {
      client.once('handshake', () => {
        const { _protocol: protocol } = client as unknown as { _protocol: { channelFailure: unknown } };
        protocol.channelFailure = undefined;
      });
      return withKey(client);
    });
    const { stream } = await plain.open(loopback(echo.port), originator, never);
    expect(stream).not.toBeInstanceOf(ForwardStream);
    stream.end('still works');
    expect(String((await once(stream, 'data'))[0])).toBe('still works');
    await plain.end();
  });
});
