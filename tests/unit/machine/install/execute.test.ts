import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NodeExecutor, StepFailed } from '../../../../src/machine/install/execute.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const executor = new NodeExecutor(process.env);

describe(NodeExecutor, () => {
  it('executes each step, and repeats each step without an error', async () => {
    using temp = tempDir('install');
    const at = (path: string) => join(temp.path, path);
    mkdirSync(at('from/deep'), { recursive: true });
    writeFileSync(at('from/deep/file'), 'text', { mode: 0o755 });
    for (const _ of [1, 2]) {
      await executor.execute({ kind: 'copy-tree', from: at('from'), to: at('fleet-mesh/releases/1') });
      await executor.execute({
        kind: 'write',
        path: at('fleet-mesh.service.d/a.conf'),
        text: 'a',
        mode: 0o644,
        source: '',
      });
      await executor.execute({ kind: 'link', path: at('fleet-mesh/current'), to: 'releases/1' });
      expect(readFileSync(at('fleet-mesh/current/deep/file'), 'utf8')).toBe('text');
      expect(lstatSync(at('fleet-mesh/current/deep/file')).mode & 0o777).toBe(0o755);
      expect(lstatSync(at('fleet-mesh.service.d/a.conf')).mode & 0o777).toBe(0o644);
    }
    await executor.execute({ kind: 'link', path: at('fleet-mesh/current'), to: 'releases/2' });
    expect(readlinkSync(at('fleet-mesh/current'))).toBe('releases/2');
    for (const _ of [1, 2]) {
      await executor.execute({ kind: 'remove', path: at('fleet-mesh.service.d/a.conf') });
      await executor.execute({ kind: 'remove-tree', path: at('fleet-mesh/releases/1') });
    }
    expect(existsSync(at('fleet-mesh.service.d'))).toBe(false);
  });

  it('keeps directories with other files, and directories of other programs', async () => {
    using temp = tempDir('install');
    const at = (path: string) => join(temp.path, path);
    mkdirSync(at('fleet-mesh.service.d'));
    writeFileSync(at('fleet-mesh.service.d/a.conf'), '');
    writeFileSync(at('fleet-mesh.service.d/of-the-operator.conf'), '');
    await executor.execute({ kind: 'remove', path: at('fleet-mesh.service.d/a.conf') });
    expect(existsSync(at('fleet-mesh.service.d/of-the-operator.conf'))).toBe(true);
  });

  it('names the file that cannot be written, and the reason, also if a directory is missing', async () => {
    using temp = tempDir('install');
    writeFileSync(join(temp.path, 'file'), '');
    const path = join(temp.path, 'file/fleet-mesh.service.d/a.conf');
    const write = executor.execute({ kind: 'write', path, text: '', mode: 0o644, source: undefined });
    await expect(write).rejects.toThrow(`${path} cannot be written: part of the path is not a directory`);
  });

  it('reports the output of a failed command', async () => {
    const run = (script: string) => executor.execute({ kind: 'command', argv: ['sh', '-c', script] });
    await expect(run('true')).resolves.toBeUndefined();
    await expect(run('echo it is broken >&2; exit 3')).rejects.toThrow(/: exit 3\nit is broken$/);
    await expect(executor.execute({ kind: 'command', argv: ['no-such-program'] })).rejects.toThrow(StepFailed);
  });
});
