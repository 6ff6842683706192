import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { brokenLinks } from '../../../../scripts/docs-pages/links.ts';
import { writtenPages } from '../../../../scripts/docs-pages/written-pages.ts';
import { tempDir } from '../../../../tests/support/machine/temp-dir.ts';

function checkout(path: string, readme: string): string {
  mkdirSync(join(path, 'docs/images'), { recursive: true });
  writeFileSync(join(path, 'README.md'), readme);
  writeFileSync(join(path, 'docs/codes.md'), '# Codes\n\n## auth_rejected\n\n[up](../README.md)\n');
  writeFileSync(join(path, 'docs/images/a.svg'), '<svg/>');
  return path;
}

describe(brokenLinks, () => {
  it('accepts files, pictures, anchors of other pages and other sites', async () => {
    await using temp = tempDir('links');
    const links = '[a](docs/codes.md#auth_rejected) ![b](docs/images/a.svg) [c](#top) [d](https://example.invalid/x)';
    const path = checkout(temp.path, `# Top\n\n${links}\n`);
    expect(writtenPages(path)).toEqual(['README.md', 'docs/codes.md']);
    expect(await brokenLinks(path, writtenPages(path))).toBe('');
  });

  it.each([
    ['a missing file', '[a](docs/none.md)', 'docs/none.md'],
    ['a missing picture', '![a](docs/images/none.svg)', 'docs/images/none.svg'],
    ['a missing anchor of the same page', '[a](#none)', '#none'],
    ['a missing anchor of another page', '[a](docs/codes.md#none)', '#none'],
  ])('reports %s with its position', async (_, link, missing) => {
    await using temp = tempDir('links');
    const path = checkout(temp.path, `# Top\n\n${link}\n`);
    const report = await brokenLinks(path, writtenPages(path));
    expect(report).toContain(missing);
    expect(report).toContain('README.md');
    expect(report).toContain('3:1');
  });
});
