import { expect, it } from 'vitest';
import { byKey, login } from '../../../../support/certificates/certified-login.ts';
import { expectBulk } from '../../../../support/clients/bulk.ts';
import { loopback, never, originator } from '../../../../support/clients/ssh-session.ts';
import { startProxiedSshd } from '../../../../support/peers/proxied-sshd.ts';
import { startSilent } from '../../../../support/peers/targets.ts';
import { waitUntil } from '../../../../support/wait-until.ts';

const CHUNK = Buffer.alloc(64 * 1024);
const STREAMS = 20;

it('holds little memory while the server does not answer a key exchange, and then goes on', async () => {
  await using proxied = await startProxiedSshd();
  const { sshd, proxy } = proxied;
  await using silent = await startSilent();
  const through = { port: proxy.port, user: sshd.user };
  const session = await login(through, byKey(sshd), { bytes: 1_000_000, ms: 3_600_000, lookEveryMs: 10 });
  const streams = await Promise.all(
    Array.from({ length: STREAMS }, async () => (await session.open(loopback(silent.port), originator, never)).stream),
  );
  proxy.pause();
  for (let n = 0; n < 16; n += 1) streams[0]?.write(CHUNK);
  await waitUntil('the exchange has begun', () => streams[1]?.write(Buffer.of(1)) === false);

  let accepted = 0;
  for (const stream of streams.slice(2)) {
    for (let n = 0; n < 100; n += 1) {
      accepted += CHUNK.length;
      if (!stream.write(CHUNK)) break;
    }
  }
  // One chunk for each stream: ssh2 alone would take a window of each, and as much again.
  expect(accepted).toBe((STREAMS - 2) * CHUNK.length);

  const drained = Promise.all(
    streams.slice(2).map((stream) => new Promise((resolve) => stream.once('drain', resolve))),
  );
  proxy.resume();
  await drained;
  await expectBulk(session, { seed: 1, bytes: 3_000_000 }, { seed: 2, bytes: 3_000_000 });
  await expect(session.end()).resolves.toMatchObject({ error: undefined });
});
