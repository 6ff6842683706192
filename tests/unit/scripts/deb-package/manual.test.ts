import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { commandPage } from '../../../../scripts/deb-package/manual/command-page.ts';
import { bold, literal, prose } from '../../../../scripts/deb-package/manual/roff.ts';
import { EXAMPLE, tunnelsPage } from '../../../../scripts/deb-package/manual/tunnels-page.ts';
import { fieldsOf, type SchemaNode } from '../../../../scripts/reference/schema-fields.ts';
import { loadConfig } from '../../../../src/config/load.ts';
import { outsideOfUnit } from '../../../../src/config/paths.ts';
import { configJsonSchema } from '../../../../src/config/schema.ts';
import { EXIT } from '../../../../src/operator/commands/command.ts';
import { outlineOf } from '../../../../src/operator/commands/completion/outline.ts';
import { program } from '../../../../src/program.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const leaves = (command: Command, words: string[] = []): [string, Command][] =>
  command.commands.flatMap((each) =>
    each.commands.length > 0 ? leaves(each, [...words, each.name()]) : [[[...words, each.name()].join(' '), each]],
  );

/** As the reader sees it: without fonts, which may change within a word. */
const plain = (roff: string) => roff.replace(/\\f[BIR]/g, '');

describe('roff', () => {
  it.each([
    ['--config', '\\-\\-config'],
    ['.hidden', '\\&.hidden'],
    ["the daemon's\n'quote", 'the daemon\\(aqs\n\\(aqquote'],
    ['a\\b', 'a\\eb'],
    ['~/x^2 × …', '\\(ti/x\\(ha2 \\[u00D7] \\[u2026]'],
  ])('shows %j literally', (text, roff) => {
    expect(literal(text)).toBe(roff);
  });

  it('makes code bold', () => {
    expect(prose('see `ssh -G` there')).toBe(`see ${bold('ssh -G')} there`);
  });
});

describe(commandPage, () => {
  const page = plain(commandPage(outlineOf(program), '1.2.3', '2026-01-01'));
  const about = (words: string) => {
    const [, after = ''] = page.split(new RegExp(`^\\.SS "${literal(words).replaceAll('\\', '\\\\')}\\b.*"$`, 'm'));
    return after.split(/^\.S[SH] /m)[0] ?? '';
  };

  it.each(leaves(program))('describes `%s`, its options and its arguments', (words, command) => {
    const text = about(words);
    expect(text).toContain(literal(command.description()).replaceAll('\\(ga', ''));
    for (const { flags, description } of command.options) {
      const [names = '', value] = flags.split(' ');
      expect(text, flags).toContain(literal([names, value].join(' ').split(/[ ,]/)[0] ?? ''));
      expect(text, flags).toContain(literal(description));
    }
    for (const argument of command.registeredArguments) {
      expect(page).toContain(`.SS "${literal(words)} `);
      expect(text).toContain(literal(argument.description));
    }
  });

  it('describes a group of commands that can also run alone', () => {
    expect(about('plan')).toContain(literal('--wave'));
    expect(page).not.toMatch(/^\.SS "import"$/m);
  });

  it('lists every exit code', () => {
    const [, text = ''] = page.split('.SH EXIT STATUS');
    for (const code of Object.values(EXIT)) expect(text).toContain(`\n.TP\n${code}\n`);
  });
});

describe(tunnelsPage, () => {
  const schema = configJsonSchema() as SchemaNode;
  const page = plain(tunnelsPage(schema, '1.2.3', '2026-01-01'));

  it('lists every field of the schema', () => {
    const keys = new Set<string>();
    JSON.stringify(schema, (key, value: unknown) => {
      if (key === 'properties') for (const name of Object.keys(value as object)) keys.add(name);
      return value;
    });
    expect(keys.size).toBeGreaterThan(50);
    for (const key of keys) expect(page, key).toMatch(new RegExp(`^(?:\\S+\\.)?${key} \\(`, 'm'));
  });

  it('describes every field', () => {
    expect(fieldsOf(schema).filter(({ description }) => description === '')).toEqual([]);
    expect(page).toMatch(/^tunnels\.NAME\.listen \(address\)\n.*Required\./m);
    expect(page).toMatch(/^tunnels\.NAME\.probe\.http\.path /m);
  });

  it('contains an example that loads', async () => {
    using temp = tempDir('manual');
    const file = join(temp.path, 'tunnels.yaml');
    writeFileSync(file, EXAMPLE);
    const config = await loadConfig(file, outsideOfUnit({}));
    expect(config.tunnels).toHaveLength(1);
  });
});
