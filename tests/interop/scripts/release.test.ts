import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUNDLED_PACKAGES } from '../../../scripts/lib/bundled-packages.ts';
import { productionPackages } from '../../../scripts/lib/production-packages.ts';
import { installTarball } from '../../../scripts/release-run/install-tarball.ts';
import { makeSbom } from '../../../scripts/release-run/sbom.ts';
import { filesOf, packTarball, wrongFiles } from '../../../scripts/release-run/tarball.ts';
import { releaseVersion } from '../../../scripts/release-run/version.ts';
import { CHECKOUT, EPOCH } from '../../support/machine/deb-package.ts';
import { type TempDir, tempDir } from '../../support/machine/temp-dir.ts';

describe('the npm package', () => {
  let temp: TempDir;
  let tarball: string;
  beforeAll(() => {
    temp = tempDir('release');
    tarball = packTarball(CHECKOUT, temp.path);
  });
  afterAll(() => temp[Symbol.dispose]());

  it('has program, page, schemas, units and documents, and nothing else', () => {
    const files = filesOf(tarball);
    expect(wrongFiles(files)).toEqual([]);
    expect(wrongFiles([...files.filter((path) => path !== 'LICENSE'), 'src/cli.ts', 'dist/.built-from'])).toEqual([
      'LICENSE is missing',
      'src/cli.ts does not belong into the package',
      'dist/.built-from does not belong into the package',
    ]);
  });

  it('installs into an empty directory without compiled modules, and runs by npx', () => {
    const directory = join(temp.path, 'installed');
    mkdirSync(directory);
    const program = installTarball(CHECKOUT, tarball, directory);
    const run = (file: string, ...args: readonly string[]) =>
      execFileSync(file, args, { cwd: directory, encoding: 'utf8' });
    expect(run('npx', '--offline', 'fleet-mesh', '--version')).toBe(`${releaseVersion(CHECKOUT)}\n`);
    expect(run('find', '.', '-name', '*.node')).toBe('');
    const schema = join(directory, 'node_modules/fleet-mesh/config/tunnels.schema.json');
    expect(JSON.parse(run(program, 'schema', 'config'))).toEqual(JSON.parse(readFileSync(schema, 'utf8')));
    // Loads the modules of the daemon.
    const daemon = spawnSync(program, ['run', '--config', 'none.yaml'], { cwd: directory, encoding: 'utf8' });
    expect([daemon.status, daemon.stderr]).toEqual([78, expect.stringContaining('none.yaml')]);
    // npm alone takes seconds on an idle machine.
  }, 300_000);
});

describe(makeSbom, () => {
  it('lists each shipped package with its version and hash, and gives equal bytes', () => {
    const text = makeSbom(CHECKOUT, EPOCH);
    const { bomFormat, metadata, components } = JSON.parse(text);
    expect([bomFormat, metadata.component.name, metadata.component.version, metadata.timestamp]).toEqual([
      ...['CycloneDX', 'fleet-mesh', releaseVersion(CHECKOUT), '2026-01-01T00:00:00.000Z'],
    ]);
    const listed = new Map<string, { version: string; hashes: { alg: string }[] }>(
      components.map((each: { name: string }) => [each.name, each]),
    );
    const lock = readFileSync(join(CHECKOUT, 'package-lock.json'), 'utf8');
    const shipped = productionPackages(lock).map(({ path }) => path.replace(/^.*node_modules\//, ''));
    expect([...listed.keys()].sort()).toEqual([...new Set([...shipped, ...BUNDLED_PACKAGES])].sort());
    expect(listed.get('ssh2')).toMatchObject({ version: '1.17.0', hashes: [{ alg: 'SHA-512' }] });
    expect(makeSbom(CHECKOUT, EPOCH)).toBe(text);
  });
});
