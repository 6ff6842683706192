import { Command, Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { bashCompletion } from '../../../../src/operator/commands/completion/bash.ts';
import { fishCompletion } from '../../../../src/operator/commands/completion/fish.ts';
import { leavesOf, outlineOf } from '../../../../src/operator/commands/completion/outline.ts';
import { zshCompletion } from '../../../../src/operator/commands/completion/zsh.ts';
import { examplesOf } from '../../../../src/operator/commands/help.ts';
import { program } from '../../../../src/program.ts';

function small(): Command {
  const root = new Command('tool').version('1').description('a tool');
  root
    .command('go')
    .description("it's [odd]: really")
    .argument('<file...>', 'what')
    .addOption(new Option('-c, --config <file>', 'the file').default('x', 'the usual one'))
    .option('--fast', 'no stops');
  root.command('of').command('two').description('two words').option('--name <text>', 'its name');
  return root;
}

describe(outlineOf, () => {
  it('outlines the commands of the program and those of commander', () => {
    const outline = outlineOf(small());
    expect(outline.commands.map(({ name }) => name)).toEqual(['go', 'of', 'help']);
    const offer = { kind: 'nothing' };
    expect(outline.commands[0]?.options).toEqual([
      {
        short: '-c',
        long: '--config',
        value: 'file',
        description: 'the file',
        default: 'the usual one',
        offer: { kind: 'files' },
      },
      { short: undefined, long: '--fast', value: undefined, description: 'no stops', default: undefined, offer },
      {
        short: '-h',
        long: '--help',
        value: undefined,
        description: 'display help for command',
        default: undefined,
        offer,
      },
    ]);
    expect(outline.commands[0]?.arguments).toEqual([
      { name: 'file', usage: '<file...>', description: 'what', offer: { kind: 'files' } },
    ]);
  });

  it('includes a group of commands that can also run alone', () => {
    const root = small();
    root.command('see').option('--all', 'everything').command('one');
    expect(leavesOf(outlineOf(root)).map(([words]) => words.join(' '))).toEqual(
      expect.arrayContaining(['see', 'see one', 'of two']),
    );
    expect(leavesOf(outlineOf(root)).map(([words]) => words.join(' '))).not.toContain('of');
  });

  it('names a command by all of its words', () => {
    expect(leavesOf(outlineOf(small())).map(([words]) => words.join(' '))).toEqual(['go', 'of two', 'of help', 'help']);
  });
});

describe('completions', () => {
  it('complete options of the command in bash, and files where allowed', () => {
    const text = bashCompletion(outlineOf(small()));
    expect(text).toContain("' go') words='-c --config --fast -h --help' files=yes ;;");
    expect(text).toContain("' of two') words='--name -h --help' ;;");
    expect(text).toContain('-c | --config | --name) ((i++)) ;;');
  });

  it('quote descriptions for zsh and fish', () => {
    expect(zshCompletion(outlineOf(small()))).toContain("'go:it'\\''s \\[odd\\]\\: really'");
    expect(zshCompletion(outlineOf(small()))).toContain("'(-c --config)'{-c,--config}'[the file]:file:_files'");
    expect(fishCompletion(outlineOf(small()))).toContain("-a go -d 'it\\'s [odd]: really'");
  });

  it.each(leavesOf(outlineOf(program)).map(([words, command]) => [words.join(' '), command] as const))(
    'know every option of `fleet-mesh %s`',
    (words, { options }) => {
      const outline = outlineOf(program);
      const name = words.replaceAll(' ', '_');
      const bash = new RegExp(`^ +' ${words}'\\) words='(.*?)'`, 'm').exec(bashCompletion(outline))?.[1]?.split(' ');
      const zsh = new RegExp(`^_fleet-mesh_${name}\\(\\) \\{([^]*?)^\\}`, 'm').exec(zshCompletion(outline))?.[1];
      const last = words.split(' ').at(-1) ?? '';
      const fish = fishCompletion(outline)
        .split('\n')
        .filter((line) => new RegExp(`seen_subcommand_from ${last}[';]`).test(line));
      for (const { long } of options) {
        expect(bash).toContain(long);
        expect(zsh).toMatch(new RegExp(`${long}[[}]`));
        expect(fish.join('\n')).toContain(` -l ${long.slice(2)} `);
      }
    },
  );
});

describe(examplesOf, () => {
  it('has two examples for every command, with options that exist', () => {
    const leaves = leavesOf(outlineOf(program)).filter(([words]) => !words.includes('help'));
    expect(leaves.length).toBeGreaterThan(25);
    for (const [words, { options, examples }] of leaves) {
      expect(examples, words.join(' ')).toHaveLength(2);
      const known = options.flatMap(({ short, long }) => [short, long]);
      for (const [line] of examples) {
        expect(line.startsWith(words.join(' ')), line).toBe(true);
        const parents = words[0] === 'plan' ? ['--plan', '--json', '--config'] : [];
        const used = line
          .replace(/"[^"]*"/g, '')
          .split(' ')
          .filter((word) => /^--?[a-zA-Z]/.test(word));
        for (const option of used) expect([...known, ...parents], line).toContain(option);
      }
    }
  });
});
