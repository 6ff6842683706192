import { describe, expect, it } from 'vitest';
import { readYaml } from '../../../src/config/yaml-document.ts';

const mistakesIn = (text: string) =>
  readYaml(text).mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`);

/** Words of the parser, which say nothing to a person who edits a file. */
const JARGON = /flow|block collection|implicit|compact|mapping|scalar|token/i;

describe(readYaml, () => {
  it.each([
    ['hosts:\n  a:\n    address: b\n     user: c\n', '4:6 the indentation is 5 spaces', 'expected 4 spaces'],
    [
      'hosts:\n  a:\n    address: b\n      port: 2\n    user: c\n',
      '4:7 the indentation is 6 spaces',
      'expected 4 spaces',
    ],
    ['hosts:\n    a:\n      x: b\n   b:\n      x: c\n', '4:4 the indentation is 3 spaces', 'expected 0 or 4 or 6'],
    ['a:\n  - b\n c\n', '3:2 the indentation is 1 space', 'expected 0 or 2'],
    ['a:\n\tb: 1\n', '2:1 a tab', 'expected spaces'],
    ['a: "b\nc: d\n', '1:4 the quote "', 'not closed'],
    ["a: 'b\nc: d\n", "1:4 the quote '", 'not closed'],
    ['a: [1, 2\nb: 3\n', '1:4 "["', 'expected "]"'],
    ['a: { b: 1, c: 2\nd: 3\n', '1:4 "{"', 'expected "}"'],
    ['a: b: c\n', '1:5 a second colon', 'in quotes'],
    ['a:b\nc: d\n', '1:1 this line is no key', 'space missing after the colon'],
    ['a: 1\nhello\nb: 2\n', '2:1 this line is no key', 'expected name: value'],
    ['a: 1\n- b\n', '2:1 this line is no key', 'expected name: value'],
    ['a: @x\n', '1:4 a value cannot begin with "@"', 'in quotes'],
    ['a: ]\n', '1:4 unexpected "]"', 'in quotes'],
    ['a: "\\q"\n', '1:5 an unknown escape', 'single quotes'],
    ['a: !foo 1\n', '1:4 tags', 'without a tag'],
    ['a: &x 1\nb: &x [2]\n', '2:7 duplicate anchor &x', 'first on line 1'],
    ['a: &x { b: 1 }\nc:\n  <<: *x\n', '3:3 merge keys (<<)', 'the keys themselves'],
    ['a: &x &y 1\n', '1:7 two anchors', 'expected one'],
    ['a: 1\n---\nb: 2\n', '2:1 a second document', 'one document'],
    ['tunnels:\n  1.10: a\n', '2:3 YAML reads the key "1.10" as 1.1', 'the key in quotes'],
    ['a: { 0x10: 1 }\n', '1:6 YAML reads the key "0x10" as 16', 'the key in quotes'],
    ['a: 1\n~: 2\n', '2:1 YAML reads the key "~" as nothing', 'the key in quotes'],
    ['a: 1\n007: 2\n', '2:1 YAML reads the key "007" as 7', 'the key in quotes'],
    ['a: b\u0000c\n', '1:5 the control character U+0000', 'without such characters'],
    ['a: 1\nb: x\u0007\n', '2:5 the control character U+0007', 'without such characters'],
  ])('explains %j once, in words for an editor', (text, start, end) => {
    const mistakes = mistakesIn(text);
    expect(mistakes).toEqual([expect.stringContaining(start)]);
    expect(mistakes[0]).toContain(end);
    expect(mistakes[0]).not.toMatch(JARGON);
  });

  it('shows the line with a caret below the mistake', () => {
    expect(readYaml('a: 1\nbee: b: c\n').mistakes[0]?.excerpt).toBe('    2 | bee: b: c\n      |       ^');
    expect(readYaml('a:\n\tb: \u202e"\n').mistakes[0]?.excerpt).toBe('    2 | \\tb: \\u202e"\n      | ^');
    const long = readYaml(`a: [${'x'.repeat(300)}: @\n`).mistakes[0]?.excerpt ?? '';
    expect(Math.max(...long.split('\n').map((line) => line.length))).toBeLessThan(130);
  });

  it('reads quotes, brackets and colons inside plain values', () => {
    expect(mistakesIn(`a: it's [fine\nb: "x: [y"\nc: http://x\nd: 'don''t'\n# it's a comment [\ne: [1]\n`)).toEqual([]);
  });

  it('reads keys that are numbers or words of YAML, if they keep their text', () => {
    expect(readYaml('1: a\n2.5: b\ntrue: c\nnull: d\n"1.10": e\n')).toMatchObject({
      mistakes: [],
      data: { 1: 'a', 2.5: 'b', true: 'c', '1.10': 'e' },
    });
  });

  it('reads an alias as often as somebody writes it', () => {
    const uses = Array.from({ length: 2_000 }, (_, index) => `t${index}: { probe: *tcp, list: [*one, *one] }\n`);
    const text = `tcp: &tcp { tcp: {} }\none: &one 1\n${uses.join('')}`;
    const { data, mistakes } = readYaml(text);
    expect(mistakes).toEqual([]);
    expect(data).toMatchObject({ t1999: { probe: { tcp: {} }, list: [1, 1] } });
  });

  it.each([
    ['wide', (level: number) => `[${`*a${level - 1}, `.repeat(9)}1]`, 'the aliases expand to more than 1000000 values'],
    ['deep', (level: number) => `[*a${level - 1}]`, 'nested more than 40 levels deep'],
    ['deep in mappings', (level: number) => `{ b: *a${level - 1} }`, 'nested more than 40 levels deep'],
  ])('refuses aliases that make a small file too %s, at the first alias that does', (_what, next, message) => {
    const lines = Array.from(
      { length: 60 },
      (_, level) => `a${level}: &a${level} ${level === 0 ? '[1]' : next(level)}\n`,
    );
    const { data, mistakes } = readYaml(lines.join(''));
    expect(data).toBeUndefined();
    expect(mistakes).toEqual([expect.objectContaining({ message: expect.stringContaining(message) })]);
    expect(mistakes[0]?.line).toBeGreaterThan(5);
  });
});
