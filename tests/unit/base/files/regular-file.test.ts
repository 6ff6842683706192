import { constants, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openRegular, readRegular } from '../../../../src/base/files/regular-file.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

describe('openRegular', () => {
  it.each(['O_WRONLY', 'O_RDWR'] as const)('refuses to write through a symbolic link (%s)', async (way) => {
    using temp = tempDir('regular');
    const [victim, link] = [join(temp.path, 'victim'), join(temp.path, 'link')];
    writeFileSync(victim, 'precious');
    symlinkSync(victim, link);
    const opened = openRegular(link, constants[way] | constants.O_APPEND | constants.O_CREAT, 0o600);
    await expect(opened).rejects.toMatchObject({ code: 'ENOTSUP' });
    expect(readFileSync(victim, 'utf8')).toBe('precious');
  });

  it('reads through a symbolic link', async () => {
    using temp = tempDir('regular');
    const [real, link] = [join(temp.path, 'real'), join(temp.path, 'link')];
    writeFileSync(real, 'text');
    symlinkSync(real, link);
    expect((await readRegular(link)).toString()).toBe('text');
  });
});
