import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NotReplaced, replaceFile } from '../../../../src/base/files/replace-file.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';

let dir: TempDir;
let path: string;
beforeEach(() => {
  dir = tempDir('replace');
  path = join(dir.path, 'plan.yaml');
  writeFileSync(path, 'before', { mode: 0o640 });
});
afterEach(() => dir[Symbol.dispose]());

const BEFORE = Buffer.from('before');
const replace = (after: string, target = path) => replaceFile(target, BEFORE, Buffer.from(after));

describe(replaceFile, () => {
  it('keeps the mode and leaves no temporary file', async () => {
    chmodSync(path, 0o664);
    await replace('after');
    expect(readFileSync(path, 'utf8')).toBe('after');
    expect(statSync(path).mode & 0o7777).toBe(0o664);
    expect(readdirSync(dir.path)).toEqual(['plan.yaml']);
  });

  it.skipIf(!has('root'))('keeps the owner', async () => {
    const { chownSync } = await import('node:fs');
    chownSync(path, 1_234, 2_345);
    await replace('after');
    expect(statSync(path)).toMatchObject({ uid: 1_234, gid: 2_345, mode: 0o100640 });
  });

  it('writes through a symbolic link', async () => {
    const link = join(dir.path, 'link.yaml');
    symlinkSync('plan.yaml', link);
    await replace('after', link);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('after');
  });

  it('refuses to replace a file that has changed since it was read', async () => {
    writeFileSync(path, 'somebody else');
    await expect(replace('after')).rejects.toThrow(NotReplaced);
    expect(readFileSync(path, 'utf8')).toBe('somebody else');
    expect(readdirSync(dir.path)).toEqual(['plan.yaml']);
  });

  it('lets one of many concurrent edits win, and refuses the others', async () => {
    const results = await Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map((after) => replace(after)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(NotReplaced);
    expect(readFileSync(path, 'utf8')).toMatch(/^[a-e]$/);
    expect(readdirSync(dir.path)).toEqual(['plan.yaml']);
  });

  it('ignores the lock of a killed edit', async () => {
    const left = join(dir.path, '.plan.yaml.fleet-mesh');
    writeFileSync(left, 'half');
    await expect(replace('after')).rejects.toThrow('another process is editing the file');
    const longAgo = Date.now() / 1_000 - 120;
    utimesSync(left, longAgo, longAgo);
    await replace('after');
    expect(readFileSync(path, 'utf8')).toBe('after');
  });
});
