import { afterAll, beforeAll, expect, test } from 'vitest';
import { wait } from '../../../../src/operator/commands/wait.ts';
import { type RunningEndpoint, startEndpoint } from '../../../support/daemon/endpoint.ts';
import { statusFixture, tunnelFixture } from '../../../support/fakes/status-fixture.ts';
import { patient } from '../../../support/patience.ts';

let endpoint: RunningEndpoint;
beforeAll(async () => {
  endpoint = await startEndpoint();
});
afterAll(() => endpoint.stop());

/** As the daemon says it while it has not yet read what somebody has just written into the plan, and afterwards. */
const undue = { verdict: 'blocked', blockers: ['wave_open'], unknowns: [], waiting_helps: false } as const;
const retirable = { verdict: 'retirable', blockers: [], unknowns: [], waiting_helps: true } as const;
const shows = (retirement: typeof undue | typeof retirable) =>
  statusFixture({
    tunnels: [tunnelFixture({ retirement: { ...retirement, blockers: [...retirement.blockers], unknowns: [] } })],
  });

const waitFor = async (condition: string) => {
  const seen = { out: '', err: '' };
  const code = await wait(
    { names: ['state-hub'], for: condition, timeout: '20s', json: false, endpoint: `127.0.0.1:${endpoint.port}` },
    {
      out: (text) => {
        seen.out += text;
      },
      err: (text) => {
        seen.err += text;
      },
      signal: new AbortController().signal,
    },
  );
  return { code, ...seen };
};

test('keeps `wait --for retirable` waiting while the plan does not yet call for the retirement', async () => {
  endpoint.snapshot = shows(undue);
  const waiting = waitFor('retirable');
  const changing = setTimeout(() => {
    endpoint.snapshot = shows(retirable);
  }, 1_000);
  expect(await waiting).toEqual({ code: 0, out: '', err: '' });
  clearTimeout(changing);
});

test('ends `wait` at once for a condition that can never be met', async () => {
  endpoint.snapshot = statusFixture({ tunnels: [tunnelFixture({ state: 'stopped' })] });
  const since = performance.now();
  expect(await waitFor('up')).toMatchObject({ code: 1, err: expect.stringContaining('is stopped') });
  expect(performance.now() - since).toBeLessThan(patient(2_000));
});
