import { randomUUID } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { endMarked, marked } from '../../../../src/base/process/marked-processes.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { spawnOwned } from '../../../support/machine/owned-process.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

it.skipIf(!has('procfs'))('kills a process that ignores SIGTERM, although one search took all the time', async () => {
  const id = randomUUID();
  const script = "trap '' TERM; echo ready; while :; do sleep 1; done";
  await using stubborn = spawnOwned('/bin/sh', ['-c', script], { env: marked(process.env, id) });
  await waitUntil('SIGTERM is ignored', () => stubborn.stdout() !== '');
  const now = performance.now.bind(performance);
  let looks = 0;
  // As if the first search had taken ten seconds.
  vi.spyOn(performance, 'now').mockImplementation(() => now() + (looks++ < 3 ? 0 : 10_000));
  await endMarked(id);
  vi.restoreAllMocks();
  expect(await within('the process ends', stubborn.exit)).toMatchObject({ signal: 'SIGKILL' });
});
