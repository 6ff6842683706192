import { describe, expect, it } from 'vitest';
import { byKey, login } from '../../../support/certificates/certified-login.ts';
import { expectBulk } from '../../../support/clients/bulk.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { newerOpenssh } from '../../../support/peers/newer-openssh.ts';
import { type SshdOptions, startSshd } from '../../../support/peers/real-sshd.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const MEGABYTE = 1_000_000;
const NEVER_MS = 3_600_000;

/** The key exchanges of all sessions that sshd has logged. */
const exchanges = (log: string) => log.split('kex: algorithm:').length - 1;

describe.skipIf(!has('sshd'))('new keys by our side', () => {
  const servers: [string, SshdOptions | undefined][] = [
    ['the OpenSSH of this machine', {}],
    ['OpenSSH 10 with the post-quantum exchange alone', newerOpenssh('KexAlgorithms mlkem768x25519-sha256')],
  ];
  const present = servers.flatMap(([name, options]) => (options ? [{ name, options }] : []));

  it.each(present)('alter no byte and lose no session under load: $name', async ({ options }) => {
    await using sshd = await startSshd({
      ...options,
      extraConfig: [...(options.extraConfig ?? []), 'LogLevel DEBUG1'],
    });
    const session = await login(sshd, byKey(sshd), { bytes: MEGABYTE, ms: NEVER_MS, lookEveryMs: 5 });
    let lost = false;
    void session.closed.then(() => {
      lost = true;
    });
    await Promise.all(
      [1, 2, 3].map((n) =>
        expectBulk(session, { seed: n, bytes: 40 * MEGABYTE }, { seed: n + 10, bytes: 40 * MEGABYTE }),
      ),
    );
    expect(lost).toBe(false);
    const count = exchanges(sshd.log());
    process.stderr.write(`rekey: 3 x 2 x 40 MB with ${count} exchanges\n`);
    expect(count).toBeGreaterThan(5);
    await session.end();
  });

  it('come by time on an idle session, which serves as before', async () => {
    await using sshd = await startSshd({ extraConfig: ['LogLevel DEBUG1'] });
    const session = await login(sshd, byKey(sshd), { bytes: Number.MAX_SAFE_INTEGER, ms: 100, lookEveryMs: 20 });
    await waitUntil('sshd has exchanged keys again', () => exchanges(sshd.log()) > 3, 5_000, sshd.log);
    await expectBulk(session, { seed: 1, bytes: 100_000 }, { seed: 2, bytes: 100_000 });
    await expect(session.end()).resolves.toMatchObject({ error: undefined });
  });

  it('come together with those of the server', async () => {
    await using sshd = await startSshd({ extraConfig: ['RekeyLimit 1M', 'LogLevel DEBUG1'] });
    const session = await login(sshd, byKey(sshd), { bytes: MEGABYTE, ms: NEVER_MS, lookEveryMs: 1 });
    await expectBulk(session, { seed: 1, bytes: 60 * MEGABYTE }, { seed: 2, bytes: 60 * MEGABYTE });
    expect(exchanges(sshd.log())).toBeGreaterThan(20);
    await expect(session.end()).resolves.toMatchObject({ error: undefined });
  });
});
