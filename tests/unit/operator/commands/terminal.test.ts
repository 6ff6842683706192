import { describe, expect, it } from 'vitest';
import { takeColour, terminal } from '../../../../src/operator/commands/terminal.ts';

describe(takeColour, () => {
  it.each([
    [
      ['status', '--color', 'never', 'db'],
      ['status', 'db'],
    ],
    [['--color=always', 'status'], ['status']],
    [
      ['status', '--json'],
      ['status', '--json'],
    ],
    [
      ['status', '--', '--color', 'never'],
      ['status', '--', '--color', 'never'],
    ],
  ])('takes the option out of %j', (argv, rest) => {
    expect(takeColour(argv)).toEqual({ argv: rest });
  });

  it.each([
    [['--color', 'pink'], 'pink'],
    [['status', '--color'], ''],
    [['--color='], ''],
  ])('refuses %j', (argv, wrong) => {
    expect(takeColour(argv)).toEqual({ wrong });
  });
});

describe(terminal, () => {
  const look = (choice: string, isTTY: boolean, env: Record<string, string> = {}) => {
    takeColour(['--color', choice]);
    return terminal({ isTTY, columns: 80 }, env).colour;
  };

  it('colours a terminal unless NO_COLOR is set or TERM is dumb, and the option decides before both', () => {
    expect(look('auto', true)).toBe(true);
    expect(look('auto', false)).toBe(false);
    expect(look('auto', true, { NO_COLOR: '1' })).toBe(false);
    expect(look('auto', true, { NO_COLOR: '' })).toBe(true);
    expect(look('always', false, { NO_COLOR: '1' })).toBe(true);
    expect(look('never', true)).toBe(false);
    expect(look('auto', true, { TERM: 'dumb' })).toBe(false);
    // Nothing is drawn again in place there; the width still counts.
    expect(terminal({ isTTY: true, columns: 80 }, { TERM: 'dumb' })).toMatchObject({ isTty: false, columns: 80 });
  });

  it('has no width without a terminal, and on a terminal that does not know its width', () => {
    expect(terminal({ isTTY: true, columns: 80 }, {}).columns).toBe(80);
    expect(terminal({ isTTY: true, columns: 0 }, {}).columns).toBeUndefined();
    expect(terminal({ isTTY: false, columns: 80 }, {}).columns).toBeUndefined();
  });
});
