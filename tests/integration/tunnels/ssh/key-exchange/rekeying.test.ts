import type { Duplex } from 'node:stream';
import { afterEach, expect, it, vi } from 'vitest';
import { byKey, login } from '../../../../support/certificates/certified-login.ts';
import { expectBulk } from '../../../../support/clients/bulk.ts';
import { loopback, originator } from '../../../../support/clients/ssh-session.ts';
import { startProxiedSshd } from '../../../../support/peers/proxied-sshd.ts';
import { startSilent } from '../../../../support/peers/targets.ts';
import { waitUntil } from '../../../../support/wait-until.ts';

const CHUNK = Buffer.alloc(64 * 1024);
const STREAMS = 20;
/** Longer than the streams need to fill everything that they may fill. */
const PUMP_MS = 500;

/** Whether a connection of ssh2's server exchanges keys. */
function isExchanging(connection: unknown): boolean {
  return (connection as { readonly _protocol: { readonly _kexinit: unknown } })._protocol._kexinit !== undefined;
}

/** Writes as fast as the stream permits, and returns the accepted bytes. */
async function pump(stream: Duplex): Promise<number> {
  const until = performance.now() + PUMP_MS;
  let accepted = 0;
  while (performance.now() < until) {
    accepted += CHUNK.length;
    if (stream.write(CHUNK)) continue;
    await Promise.race([
      new Promise((resolve) => stream.once('drain', resolve)),
      new Promise((resolve) => setTimeout(resolve, PUMP_MS)),
    ]);
  }
  return accepted;
}

afterEach(() => {
  vi.unstubAllEnvs();
});

it.each([
  ['fast', undefined],
  ['plain', 'plain'],
] as const)(
  'holds little memory while a key exchange has no answer, and then goes on: %s data path',
  async (_, path) => {
    vi.stubEnv('FLEET_MESH_DATA_PATH', path);
    await using proxied = await startProxiedSshd();
    const { sshd, proxy } = proxied;
    await using silent = await startSilent();
    const through = { port: proxy.port, user: sshd.user };
    const session = await login(through, byKey(sshd), { bytes: 500_000, ms: 3_600_000, lookEveryMs: 10 });
    const opened = Array.from({ length: STREAMS }, () =>
      session.open(loopback(silent.port), originator, new AbortController().signal),
    );
    const streams = (await Promise.all(opened)).map(({ stream }) => stream);
    const [connection] = sshd.connections;
    proxy.pause('to-client');
    for (let n = 0; n < 16; n += 1) streams[0]?.write(CHUNK);
    await waitUntil('the exchange has begun', () => isExchanging(connection));

    const accepted = await Promise.all(streams.slice(1).map(pump));
    // ssh2 alone would take a window of 2 MiB from each, and as much again.
    expect(Math.max(...accepted)).toBeLessThanOrEqual(4 * CHUNK.length);

    proxy.resume();
    await expectBulk(session, { seed: 1, bytes: 3_000_000 }, { seed: 2, bytes: 3_000_000 });
    await expect(session.end()).resolves.toMatchObject({ error: undefined });
  },
);
