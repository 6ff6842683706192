import ssh2 from 'ssh2';
import { describe, expect, it, vi } from 'vitest';
import type { Session } from '../../../../src/tunnels/ssh/session.ts';
import { byKey, login } from '../../../support/certificates/certified-login.ts';
import { expectBulk } from '../../../support/clients/bulk.ts';
import { LAB } from '../../../support/peers/lab/servers.ts';

const MEGABYTE = 1_000_000;

const rows = await Promise.all(LAB.map(async (row) => ({ ...row, here: await row.here() })));

/** Loads the session both ways, and counts the exchanges of keys meanwhile. */
async function exchangesUnderLoad(session: Session, megabytes: number): Promise<number> {
  const emit = vi.spyOn(ssh2.Client.prototype, 'emit');
  const bytes = megabytes * MEGABYTE;
  await Promise.all([1, 2].map((n) => expectBulk(session, { seed: n, bytes }, { seed: n + 5, bytes })));
  const exchanges = emit.mock.calls.filter(([event]) => event === 'handshake').length;
  emit.mockRestore();
  await expect(session.end()).resolves.toMatchObject({ error: undefined });
  return exchanges;
}

describe.each(rows)('new keys at $name', (row) => {
  it.skipIf(!row.here)('alter no byte and lose no session under load, whichever side wants them', async () => {
    await using server = await row.start();
    const ours = await login(server, byKey(server), { bytes: MEGABYTE, ms: 3_600_000, lookEveryMs: 5 });
    const byUs = await exchangesUnderLoad(ours, 10);
    const theirs = row.rekeyBytes === undefined ? undefined : await login(server, byKey(server));
    // Two channels: three times the bytes after which the server wants new keys.
    const byThem = theirs && (await exchangesUnderLoad(theirs, Math.ceil((1.5 * (row.rekeyBytes ?? 0)) / MEGABYTE)));
    process.stderr.write(`rekey: ${row.name}: ${byUs} exchanges by us in 2 x 2 x 10 MB, ${byThem} by the server\n`);
    // Some servers take long for each.
    expect(byUs).toBeGreaterThan(1);
    expect(byThem === undefined ? row.untried?.theirRekey : byThem > 0).toBeTruthy();
  });
});
