import { execFileSync } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { InheritedSockets } from '../../../../src/machine/systemd/inherited-sockets.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

it('leaves descriptors that are no sockets alone: with a wrong count they belong to Node', async () => {
  using directory = tempDir('descriptors');
  const path = join(directory.path, 'pipe');
  execFileSync('mkfifo', [path]);
  const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const log = createLogger({ level: 'fatal' });
    const sockets = new InheritedSockets(
      [
        { fd: pipe, name: 'endpoint' },
        { fd: 4_000, name: 'unknown' },
      ],
      log,
    );
    const taker = { onConnection: () => {}, onError: () => {} };
    const address = { kind: 'tcp', host: '127.0.0.1', port: 9780 } as const;
    expect(sockets.claim({ user: { kind: 'endpoint' }, address }, taker)).toBeUndefined();
    sockets.settle();
    await turn();
    expect(fstatSync(pipe).isFIFO()).toBe(true);
    expect(sockets.status().map(({ problem }) => problem)).toEqual([
      expect.stringContaining('not a listening stream socket'),
      expect.stringContaining('not a listening stream socket'),
    ]);
    sockets.leave();
    await turn();
    expect(fstatSync(pipe).isFIFO()).toBe(true);
  } finally {
    closeSync(pipe);
  }
});
