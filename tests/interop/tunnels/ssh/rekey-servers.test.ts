import ssh2 from 'ssh2';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { byKey, login } from '../../../support/certificates/certified-login.ts';
import { expectBulk } from '../../../support/clients/bulk.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { LAB } from '../../../support/peers/lab/servers.ts';

const MEGABYTE = 1_000_000;

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(LAB)('new keys by our side at $name', (row) => {
  it.skipIf(!row.needs.every(has))('alter no byte and lose no session under load', async () => {
    const emit = vi.spyOn(ssh2.Client.prototype, 'emit');
    await using server = await row.start();
    const session = await login(server, byKey(server), { bytes: MEGABYTE, ms: 3_600_000, lookEveryMs: 5 });
    await Promise.all(
      [1, 2].map((n) => expectBulk(session, { seed: n, bytes: 10 * MEGABYTE }, { seed: n + 5, bytes: 10 * MEGABYTE })),
    );
    const exchanges = emit.mock.calls.filter(([event]) => event === 'handshake').length;
    process.stderr.write(`rekey: ${row.name}, 2 x 2 x 10 MB with ${exchanges} exchanges\n`);
    expect(exchanges).toBeGreaterThan(3);
    await expect(session.end()).resolves.toMatchObject({ error: undefined });
  });
});
