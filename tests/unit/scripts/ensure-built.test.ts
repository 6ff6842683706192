import { execFileSync } from 'node:child_process';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tempDir } from '../../support/machine/temp-dir.ts';

const PREPARE = fileURLToPath(new URL('../../../scripts/lib/prepare.sh', import.meta.url));

describe('ensure_built', () => {
  it('accepts the output of `npm run build`, and builds again after a change', () => {
    using checkout = tempDir('built');
    const write = (path: string, ageS: number) => {
      const file = join(checkout.path, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, path);
      const at = Date.now() / 1_000 - ageS;
      utimesSync(file, at, at);
    };
    write('bin/npm', 0);
    writeFileSync(join(checkout.path, 'bin/npm'), '#!/bin/sh\necho built\nmkdir dist\n', { mode: 0o755 });
    execFileSync('chmod', ['755', join(checkout.path, 'bin/npm')]);
    for (const path of ['src/a.ts', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']) write(path, 60);
    // A removed file shows in the time of its directory.
    utimesSync(join(checkout.path, 'src'), 0, 0);
    for (const path of ['dist/cli.js', 'dist/operator/page/index.html']) write(path, 30);
    const run = () =>
      execFileSync('bash', ['-ec', `. '${PREPARE}'; PATH="$PWD/bin:$PATH"; ensure_built`], {
        cwd: checkout.path,
        encoding: 'utf8',
      });
    expect([run(), run()]).toEqual(['', '']);
    write('src/a.ts', 0);
    writeFileSync(join(checkout.path, 'src/a.ts'), 'changed');
    expect(run()).toContain('built');
  });
});
