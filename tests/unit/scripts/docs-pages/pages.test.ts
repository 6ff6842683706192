import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { configurationPage } from '../../../../scripts/docs-pages/configuration-page.ts';
import { prose, sentence, table } from '../../../../scripts/docs-pages/markdown.ts';
import { generatedPages } from '../../../../scripts/docs-pages/pages.ts';
import { fieldsOf, type SchemaNode } from '../../../../scripts/reference/schema-fields.ts';
import { ERROR_CODES } from '../../../../src/base/errors.ts';
import { configJsonSchema } from '../../../../src/config/schema.ts';
import { leavesOf, outlineOf } from '../../../../src/operator/commands/completion/outline.ts';
import { program } from '../../../../src/program.ts';
import { ADVISORY_CODES } from '../../../../src/telemetry/status/advisory.ts';
import { BLOCKER_CODES, UNKNOWN_CODES } from '../../../../src/telemetry/status/finding-codes.ts';

const CHECKOUT = fileURLToPath(new URL('../../../../', import.meta.url));
const pages = generatedPages(CHECKOUT);

describe(generatedPages, () => {
  it.each([...pages.keys()])('finds %s up to date: scripts/docs writes the page', (path) => {
    expect(readFileSync(CHECKOUT + path, 'utf8')).toBe(pages.get(path));
  });

  it.each([...ERROR_CODES, ...ADVISORY_CODES, ...BLOCKER_CODES, ...UNKNOWN_CODES])(
    'explains %s under its own heading, with cause and fix',
    (code) => {
      const sections = pages.get('docs/errors.md')?.split(`\n## ${code}\n`) ?? [];
      expect(sections).toHaveLength(2);
      const [section] = sections[1]?.split('\n#') ?? [];
      expect(section).toMatch(/^- \*\*Cause:\*\* .+$/m);
      expect(section).toMatch(/^- \*\*Fix:\*\* .+$/m);
    },
  );

  it('lists every key of the configuration, with an example for each key without a section', () => {
    const page = pages.get('docs/configuration.md') ?? '';
    const keys = fieldsOf(configJsonSchema() as SchemaNode).map(({ path }) => path.at(-1) ?? '');
    expect(keys.length).toBeGreaterThan(70);
    for (const key of keys) expect(page).toMatch(new RegExp(`^\\| (?:\`${key}\`|\\[\`${key}\`\\]\\()`, 'm'));
    const withoutExample = page.split('\n').filter((line) => /^\| `\w+` \|/.test(line) && line.includes(' |  | '));
    expect(withoutExample).toEqual([]);
  });

  it('has a section for every command, with each option', () => {
    const page = pages.get('docs/commands.md') ?? '';
    for (const [words, { options }] of leavesOf(outlineOf(program)).filter(([, { name }]) => name !== 'help')) {
      const [, section = ''] = page.split(`\n## ${words.join(' ')}\n`);
      for (const { long } of options.filter((option) => option.long !== '--help'))
        expect(section.split('\n## ')[0], words.join(' ')).toContain(`\`${long}`);
    }
  });
});

describe(configurationPage, () => {
  const probe = { properties: { every: { type: 'string', description: 'The pause. Default 5s.' } } };
  const page = configurationPage(
    {
      required: ['a'],
      properties: {
        a: { type: 'integer', minimum: 1, maximum: 9, description: 'A number.' },
        b: { enum: ['x', 'y'], description: 'A word. Default x.' },
        first: { type: 'object', description: 'A check. Default: none.', ...probe },
        second: { type: 'object', description: 'Another check.', ...probe },
      },
    },
    { a: 3, b: 'y', first: { every: '7s' } },
  );

  it('shows type, default and example, and removes the default from the sentence', () => {
    expect(page).toContain('| `a` | whole number, 1 to 9 | **required** | `3` | A number. |');
    expect(page).toContain('| `b` | x \\| y | `x` | `y` | A word. |');
    expect(page).toContain('| `every` | text | `5s` | `7s` | The pause. |');
    expect(page).toContain('| [`first`](#first) | mapping | none |  | A check. |');
  });

  it('describes equal sections once', () => {
    expect(page).toContain('| [`second`](#first) |');
    expect(page).not.toContain('## second');
  });
});

describe(prose, () => {
  it.each([
    ['*.name or *', '\\*.name or \\*'],
    ['a <b> in [c]', 'a \\<b> in \\[c\\]'],
    ['run `a | b` now', 'run `a \\| b` now'],
    ['keep_this `*`', 'keep_this `*`'],
  ])('shows %j as written', (text, markdown) => {
    expect(prose(text)).toBe(markdown);
  });

  it('starts with a capital letter and ends with a full stop', () => {
    expect(sentence('prints a schema')).toBe('Prints a schema.');
    expect(sentence('Done?')).toBe('Done?');
  });

  it('writes a table row by row', () => {
    expect(table(['a', 'b'], [['1', '2']])).toBe('| a | b |\n| --- | --- |\n| 1 | 2 |');
  });
});
