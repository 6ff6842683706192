import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { afterKey, firstScreen, type Key, type Screen, screenLines } from '../../../../src/operator/text/screen.ts';
import { statusFixture, tunnelFixture } from '../../../support/fakes/status-fixture.ts';

const tunnels = [
  tunnelFixture({ name: 'cache', state: 'up' }),
  tunnelFixture({ name: 'alpha', state: 'down', reason: 'the bastion is gone' }),
  tunnelFixture({ name: 'db', state: 'degraded', host: 'other' }),
];
const status = statusFixture({ tunnels });
const size = { columns: 100, rows: undefined, colour: false };

function press(screen: Screen, ...keys: string[]): Screen | 'over' {
  return keys.reduce<Screen | 'over'>((seen, written) => {
    if (seen === 'over') return seen;
    const key: Key =
      written.length === 1 ? { name: written, text: written, ctrl: false } : { name: written, text: '', ctrl: false };
    return afterKey(seen, key, status);
  }, screen);
}

const shown = (screen: Screen | 'over') => (screen === 'over' ? [] : screenLines(screen, status, size));
const names = (screen: Screen | 'over') =>
  shown(screen).flatMap((line) => /^(cache|alpha|db)\b/.exec(stripVTControlCharacters(line))?.[1] ?? []);

describe(afterKey, () => {
  it('sorts the tunnels with s: file order, worst first, name, open connections', () => {
    expect(names(firstScreen())).toEqual(['cache', 'alpha', 'db']);
    expect(names(press(firstScreen(), 's'))).toEqual(['alpha', 'db', 'cache']);
    expect(names(press(firstScreen(), 's', 's'))).toEqual(['alpha', 'cache', 'db']);
    expect(press(firstScreen(), 's', 's', 's', 's')).toEqual(firstScreen());
  });

  it('filters by name, host and state with /, and says how many are hidden', () => {
    expect(names(press(firstScreen(), '/', 'd', 'o', 'w', 'n', 'return'))).toEqual(['alpha']);
    expect(names(press(firstScreen(), '/', 'o', 't', 'h', 'e', 'r', 'return'))).toEqual(['db']);
    expect(shown(press(firstScreen(), '/', 'x', 'x', 'backspace', 'backspace', 'd', 'b', 'return')).at(-1)).toContain(
      'filter "db" hides 2',
    );
    expect(shown(press(firstScreen(), '/', 'x'))[0]).toBe('No tunnel fits the filter "x".');
    expect(press(firstScreen(), '/', 'x', 'escape')).toEqual(firstScreen());
    // While a person types, q is a letter.
    expect(press(firstScreen(), '/', 'q')).toMatchObject({ filter: 'q', typing: true });
  });

  it('marks a tunnel with the arrows, and shows its detail with Enter', () => {
    const second = press(firstScreen(), 'down');
    expect(shown(second).find((line) => line.startsWith('\u001b[7m'))).toContain('alpha');
    const detail = shown(press(firstScreen(), 'down', 'return'));
    expect(detail.join('\n')).toContain('the bastion is gone');
    expect(names(press(firstScreen(), 'down', 'return', 'escape'))).toEqual(['cache', 'alpha', 'db']);
    expect(press(firstScreen(), 'down', 'down', 'down', 'down')).toMatchObject({ marked: 'db' });
    expect(press(firstScreen(), 'up')).toMatchObject({ marked: 'cache' });
  });

  it('ends with q and with Ctrl-C', () => {
    expect(press(firstScreen(), 'q')).toBe('over');
    expect(afterKey(press(firstScreen(), '/') as Screen, { name: 'c', text: '\u0003', ctrl: true }, status)).toBe(
      'over',
    );
  });
});

describe(screenLines, () => {
  it.each([5, 10, 24])('fits %i rows, keeps the marked tunnel in view, and says what is above and below', (rows) => {
    const many = statusFixture({
      tunnels: Array.from({ length: 100 }, (_, index) => tunnelFixture({ name: `tunnel-${index}` })),
    });
    const lines = screenLines({ ...firstScreen(), marked: 'tunnel-70' }, many, { ...size, columns: 200, rows });
    expect(lines.length).toBeLessThanOrEqual(rows);
    expect(lines.join('\n')).toContain('tunnel-70');
    expect(lines.join('\n')).toMatch(/\d+ lines above, \d+ below/);
  });

  it.each(['the table', 'a detail'])(
    'shows every line of %s page by page, also on a screen of 20 columns and 5 rows',
    (what) => {
      const small = { ...size, columns: 20, rows: 5 };
      const start = press(firstScreen(), 'down', ...(what === 'a detail' ? ['return'] : [])) as Screen;
      const wordsOf = (lines: readonly string[]) =>
        lines.flatMap((line) => stripVTControlCharacters(line).split(/\s+/));
      const all = screenLines(start, status, { ...small, rows: undefined });
      const text = wordsOf(all.slice(0, all.lastIndexOf('')));
      const seen = new Set<string>();
      for (let [screen, page] = [start, 0]; page < text.length; page++) {
        const lines = screenLines(screen, status, small);
        expect(lines.length).toBeLessThanOrEqual(5);
        for (const line of lines) expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(20);
        for (const word of wordsOf(lines)) seen.add(word);
        screen = press(screen, 'pagedown') as Screen;
      }
      expect(text.filter((word) => !seen.has(word))).toEqual([]);
      expect(text).toContain('bastion');
      expect(press(start, 'pagedown', 'pageup')).toEqual(start);
    },
  );

  it('breaks long lines instead of cutting them', () => {
    const lines = screenLines(firstScreen('alpha'), status, { ...size, columns: 40 });
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
    expect(lines.join(' ').replace(/\s+/g, ' ')).toContain('the bastion is gone');
  });
});
