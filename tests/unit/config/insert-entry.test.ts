import { describe, expect, it } from 'vitest';
import { insertEntry, type NewEntry } from '../../../src/config/insert-entry.ts';
import { NotEditable } from '../../../src/config/text-edit.ts';

const ENTRY: NewEntry = {
  section: 'tunnels',
  name: 'db',
  fields: { host: 'bastion', probe: { tcp: {} } },
  lines: ['db:', '  host: bastion', '  probe: { tcp: {} }'],
  flow: 'db: { host: bastion, probe: { tcp: {} } }',
};

const added = '  db:\n    host: bastion\n    probe: { tcp: {} }\n';

describe(insertEntry, () => {
  it.each<[string, string, string]>([
    ['an empty mapping in braces', 'tunnels: {}\n', `tunnels:\n${added}`],
    ['an empty mapping with a comment', 'tunnels: {}  # none\nnode: a\n', `tunnels:  # none\n${added}node: a\n`],
    ['a section without a value', 'tunnels:\nnode: a\n', `tunnels:\n${added}node: a\n`],
    ['a file without the section', 'node: a', `node: a\ntunnels:\n${added}`],
    [
      'a section with comments around',
      '# top\ntunnels:\n  # first\n  a: { host: x }  # why\n\n# rest\nnode: a\n',
      `# top\ntunnels:\n  # first\n  a: { host: x }  # why\n${added}\n# rest\nnode: a\n`,
    ],
    [
      'a deeper indent, and a block at the end',
      'tunnels:\n    a:\n        note: |\n          text\nnode: a\n',
      'tunnels:\n    a:\n        note: |\n          text\n    db:\n      host: bastion\n      probe: { tcp: {} }\nnode: a\n',
    ],
    [
      'a section in braces',
      'tunnels: { a: { host: x } }  # why\n',
      'tunnels: { a: { host: x }, db: { host: bastion, probe: { tcp: {} } } }  # why\n',
    ],
    ['line ends of Windows', 'tunnels: {}\r\nnode: a\r\n', `tunnels:\r\n${added.replaceAll('\n', '\r\n')}node: a\r\n`],
    ['a last line without an end', 'tunnels:\n  a: { host: x }', `tunnels:\n  a: { host: x }\n${added.trimEnd()}`],
  ])('adds an entry to %s', (_, before, after) => {
    expect(insertEntry(before, ENTRY)).toBe(after);
  });

  it.each([
    ['an alias', 'base: &base { a: { host: x } }\ntunnels: *base\n'],
    ['a list', 'tunnels: [a]\n'],
    ['a file in braces', '{ node: a }\n'],
    ['a broken file', 'tunnels: [\n'],
  ])('refuses %s', (_, before) => {
    expect(() => insertEntry(before, ENTRY)).toThrow(NotEditable);
  });
});
