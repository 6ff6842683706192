import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Config } from '../../../../src/config/config.ts';
import { PresenceRecord } from '../../../../src/operator/presence/leave.ts';
import { recordName } from '../../../../src/operator/presence/record.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { waitUntil } from '../../../support/wait-until.ts';

it('writes the record of the addresses as soon as the directory can be used, and says so until then', async () => {
  using dir = tempDir('presence');
  const stateDir = join(dir.path, 'state');
  // A file in place of the directory.
  writeFileSync(stateDir, '');
  const path = join(dir.path, 'tunnels.yaml');
  const config = { path, stateDir, endpoint: { listen: { host: '127.0.0.1', port: 1 } }, controlSocket: '/x' };
  const record = new PresenceRecord({
    env: { HOME: dir.path, RUNTIME_DIRECTORY: join(dir.path, 'run') },
    takesCommands: () => true,
    log: createLogger({ level: 'fatal' }),
  });
  await record.leave(config as unknown as Config);
  const file = join(stateDir, recordName(path));
  expect(record.unwritten).toMatchObject([{ path: file }]);
  rmSync(stateDir);
  await waitUntil('the record is written', async () => record.unwritten.length === 0 || undefined);
  expect(existsSync(file)).toBe(true);
  await record.remove();
  expect(existsSync(file)).toBe(false);
});
