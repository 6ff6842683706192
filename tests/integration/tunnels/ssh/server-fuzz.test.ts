import { describe, expect, it } from 'vitest';
import { spawnOwned } from '../../../support/machine/owned-process.ts';

/** Each attack three times; other seeds by hand. A fixed seed makes the same choices in each run. */
const [CASES, SEED, AT_ONCE] = [120, 1, 8];

describe('a client of hostile servers', () => {
  it('neither crashes, nor stands still, nor grows, nor keeps anything, and names each end', async () => {
    const main = 'tests/bench/server-fuzz/main.ts';
    const args = ['--import', 'tsx', main, `${CASES}`, `${SEED}`, `${AT_ONCE}`];
    await using fuzz = spawnOwned(process.execPath, args);
    const { code } = await fuzz.exit;
    process.stderr.write(fuzz.stdout());
    expect({ code, said: fuzz.stderr() }).toEqual({ code: 0, said: '' });
    expect(fuzz.stdout()).toContain(`seed ${SEED}: ${CASES} hostile servers`);
  });
});
