import { describe, expect, it } from 'vitest';
import { markdownProse } from '../../../scripts/prose-check/markdown-prose.ts';
import { messageProse } from '../../../scripts/prose-check/message-prose.ts';
import { messagesOf } from '../../../scripts/prose-check/messages.ts';

const words = (count: number) => `Word ${'word '.repeat(count - 2)}end.`;
const messages = (matches: readonly { message: string }[]) => matches.map(({ message }) => message);

describe(markdownProse, () => {
  it('allows sentences of up to 25 words', () => {
    expect(markdownProse(`${words(25)} ${words(25)}\n`)).toEqual([]);
    expect(messages(markdownProse(`${words(25)} ${words(26)}\n`))).toEqual([expect.stringMatching(/^26 words/)]);
  });

  it('counts a piece of code as one word', () => {
    expect(markdownProse(`${words(24).slice(0, -1)} \`a b c d e f\`.\n`)).toEqual([]);
    expect(messages(markdownProse(`${words(25).slice(0, -1)} \`a b c d e f\`.\n`))).toHaveLength(1);
  });

  it('exempts code, and does not limit sentences in tables', () => {
    expect(markdownProse(`\`\`\`sh\nmend ${words(40)}\n\`\`\`\n\nRun \`mend it\` now.\n`)).toEqual([]);
    expect(markdownProse(`| a |\n| --- |\n| ${words(40)} |\n`)).toEqual([]);
  });

  it.each([
    ['Nobody mended it.', 'mended'],
    ['It fails for want\nof a key.', 'for want of'],
    ['The static key stands in.', 'stands in'],
    ['| a |\n| --- |\n| to whom |', 'whom'],
    ['Find what is to do.', 'what is to'],
  ])('rejects the words of %j', (page, phrase) => {
    expect(messages(markdownProse(page))).toEqual([expect.stringContaining(`"${phrase}"`)]);
  });

  it('checks each paragraph and each list item separately', () => {
    const item = words(14).slice(0, -1);
    expect(markdownProse(`- ${item}\n- ${item}\n\n| a |\n| --- |\n| b |\n\n## ${item}\n\n${item}\n`)).toEqual([]);
  });

  it('reports overlapping phrases once', () => {
    expect(messages(markdownProse('Show what speaks against it.\n'))).toHaveLength(1);
  });

  it('reports the position of a finding', () => {
    expect(markdownProse('A line.\n\nTo mend it.\n')).toMatchObject([{ offset: 12 }]);
  });

  it('requires the subject first, except in questions and short headings', () => {
    expect(messages(markdownProse('What works is kept until then.\n'))).toEqual([expect.stringContaining('"What"')]);
    expect(
      markdownProse('# What it is and does on a node\n\nWhat is it that you want?\n\nThis is what it does for you.\n'),
    ).toEqual([]);
  });
});

describe(messagesOf, () => {
  const texts = (source: string) => messagesOf('a.ts', source).map(({ text }) => text);

  it('collects strings, templates and concatenations of four words and more', () => {
    expect(texts("const a = 'one two three four', b = 'one two three', c = './one/two/three/four.ts';")).toEqual([
      'one two three four',
    ]);
    expect(texts(`f(\`one \${two} three \${\`inner one of four\`} four\`);`)).toEqual([
      'one VALUE three VALUE four',
      'inner one of four',
    ]);
    expect(texts(`const a = 'one two ' + b + ' three' + \` \${c} four\`;`)).toEqual(['one two VALUE three VALUE four']);
  });

  it('ignores comments', () => {
    expect(texts('// one two three four five\nconst a = 1 + 2;')).toEqual([]);
  });
});

describe(messageProse, () => {
  it('checks words and length line by line, and exempts code in backticks', () => {
    expect(messageProse('a.ts', `const a = '${words(25)}\\n${words(25)} ';`)).toEqual([]);
    expect(messages(messageProse('a.ts', `const a = '${words(26)}';`))).toEqual([expect.stringMatching(/^26 words/)]);
    expect(messageProse('a.ts', "const a = 'run `mend the clock` on this node';")).toEqual([]);
    expect(messageProse('a.ts', "\nf('mend the clock on it');")).toMatchObject([{ offset: 3 }]);
  });
});
