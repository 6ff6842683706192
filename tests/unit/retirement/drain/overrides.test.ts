import { describe, expect, it } from 'vitest';
import { finding } from '../../../../src/retirement/drain/finding.ts';
import { overrideFault, withOverrides } from '../../../../src/retirement/drain/overrides.ts';
import { BLOCKER_CODES, UNKNOWN_CODES } from '../../../../src/telemetry/status/finding-codes.ts';

const override = (code: string, reason = 'I say so') => ({ code, reason });

describe('an override', () => {
  it.each(BLOCKER_CODES.filter((code) => code !== 'cutover_in_progress' && code !== 'not_cut_over'))(
    'of %s is possible',
    (code) => {
      expect(overrideFault([override(code)])).toBeUndefined();
    },
  );

  it.each([...UNKNOWN_CODES, 'cutover_in_progress', 'not_cut_over', 'retirable', 'everything'])(
    'of %s is not',
    (code) => {
      expect(overrideFault([override('still_open'), override(code)])).toMatch(
        `${code} cannot be overridden; these can: wave_open`,
      );
    },
  );

  it('needs a reason, once', () => {
    expect(overrideFault([override('still_open', ' ')])).toBe('the override of still_open has no reason');
    expect(overrideFault([override('still_open'), override('still_open')])).toBe('still_open is overridden twice');
  });

  it('takes away what it names, and nothing else', () => {
    const blockers = [...finding('wave_open', 'm', 'c'), ...finding('recent_use', 'm', 'c')];
    const unknowns = finding('observation_gap', 'm', 'c');
    const taken = [override('wave_open'), override('no_rollback')];
    const { left, used } = withOverrides({ verdict: 'blocked', blockers, unknowns }, taken);
    expect(left.map(({ code }) => code)).toEqual(['recent_use', 'observation_gap']);
    expect(used).toEqual([override('wave_open')]);
  });
});
