import { describe, expect, it } from 'vitest';
import { shortened } from '../../system/runbook/adapt.ts';
import { missingLine, sectionsOf, withSections } from '../../system/runbook/blocks.ts';

const PAGE = `# Page

\`\`\`diagram
ignored
\`\`\`

## One
<!-- on: workstation -->
\`\`\`sh
echo a
\`\`\`
\`\`\`text
a
\`\`\`
<!-- event: night -->
## Two
\`\`\`yaml
# tunnels.yaml
node: n
\`\`\`
`;

describe(sectionsOf, () => {
  it('finds every block with place, expected output and line', () => {
    expect(sectionsOf(PAGE)).toEqual([
      {
        title: 'One',
        steps: [
          { kind: 'commands', place: 'workstation', text: 'echo a\n', expected: ['a'], line: 9 },
          { kind: 'event', name: 'night', line: 15 },
        ],
      },
      {
        title: 'Two',
        steps: [{ kind: 'sections', file: 'tunnels.yaml', text: '# tunnels.yaml\nnode: n\n', line: 17 }],
      },
    ]);
  });

  it.each([
    ['a block of an unknown language', '## A\n```json\n{}\n```\n', /json/],
    ['a block without a place', '## A\n```sh\ntrue\n```\n', /"sh"/],
    ['an unknown machine', '## A\n<!-- on: moon -->\n', /moon/],
    [
      'a second expected output',
      '## A\n<!-- on: node-1 -->\n```sh\na\n```\n```text\na\n```\n```text\nb\n```\n',
      /"text"/,
    ],
    ['YAML without a file', '## A\n```yaml\na: 1\n```\n', /name the file/],
    ['a block before the first section', '```sh\ntrue\n```\n', /first section/],
  ])('refuses %s', (_, page, message) => {
    expect(() => sectionsOf(page)).toThrow(message);
  });
});

describe(missingLine, () => {
  it('finds the first line that is missing, or in the wrong order', () => {
    expect(missingLine('one 1\ntwo (2)\n', ['one …', 'two (2)'])).toBeUndefined();
    expect(missingLine('one\ntwo\n', ['two', 'one'])).toBe('one');
    expect(missingLine('one more\n', ['one'])).toBe('one');
    expect(missingLine('axb\n', ['a.b'])).toBe('a.b');
  });
});

describe(withSections, () => {
  it('replaces the sections of the block and keeps the others', () => {
    expect(withSections('a: 1\nb: { c: 2 }\n', '# f.yaml\nb: { d: 3 }\n')).toBe('a: 1\nb:\n  d: 3\n');
  });
});

describe(shortened, () => {
  it('refuses a page without one of the waiting times', () => {
    expect(() => shortened('every: 10s')).toThrow('quiet_for');
  });
});
