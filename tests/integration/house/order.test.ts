import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import manifest from '../../../package.json' with { type: 'json' };
import { tempDir } from '../../support/machine/temp-dir.ts';
import { BUNDLED, DISTRICTS, mayImportFolder, mayImportPackage, PACKAGES, TUNNELS } from './places.ts';

const BIOME = 'node_modules/@biomejs/biome/bin/biome';
const CONFIGURATION = ['biome.json', 'biome.order.jsonc'];
const THIRD_PARTY = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });

const wings = Object.keys(TUNNELS).map((wing) => `tunnels/${wing}`);
const targets = ['', ...Object.keys(DISTRICTS).filter((district) => district !== 'tunnels'), ...wings];
/** Every folder that has a rule of its own, and one deeper folder of each kind. */
const places = [
  ...new Set([
    ...targets,
    ...Object.values({ ...PACKAGES, ...BUNDLED }).flat(),
    'base/net',
    'tunnels/ssh/host-key',
    'retirement/plan/policy',
  ]),
].filter((place) => place !== 'tunnels');

/** The text of an import, and whether the order permits it. */
interface Attempt {
  readonly specifier: string;
  readonly permitted: boolean;
}

function attemptsFrom(place: string): Attempt[] {
  const folders = targets.map((target) => ({
    specifier: specifierOf(place, join(target, target === '' ? 'program.ts' : 'anything.ts')),
    permitted: mayImportFolder(place, target),
  }));
  const packages = [...THIRD_PARTY, ...Object.keys(BUNDLED)].map((name) => ({
    specifier: name,
    permitted: mayImportPackage(place, name),
  }));
  return [...folders, ...packages, { specifier: 'node:fs/promises', permitted: true }];
}

function specifierOf(place: string, file: string): string {
  const path = relative(place, file);
  return path.startsWith('.') ? path : `./${path}`;
}

/** The lines of `files` (texts by path) that the rules of this repository reject, as `path:line`. */
async function rejectedLines(files: Readonly<Record<string, string>>): Promise<Set<string>> {
  using temp = tempDir('order');
  for (const name of CONFIGURATION) copyFileSync(name, join(temp.path, name));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(temp.path, path)), { recursive: true });
    writeFileSync(join(temp.path, path), text);
  }
  const output = await lint(temp.path);
  const found = output.matchAll(/^::error title=lint\/style\/noRestrictedImports,file=([^,]+),line=(\d+),/gm);
  return new Set([...found].map(([, file = '', line]) => `${relative(temp.path, file)}:${line}`));
}

function lint(cwd: string): Promise<string> {
  const args = ['lint', '--only=style/noRestrictedImports', '--vcs-enabled=false', '--max-diagnostics=none'];
  return new Promise((resolve, reject) => {
    const command = [join(process.cwd(), BIOME), ...args, '--reporter=github', '.'];
    execFile(process.execPath, command, { cwd, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      // Biome ends with 1 where it has found something; anything else than findings is on standard error.
      if (error !== null && !stdout.includes('::error title=lint/')) reject(new Error(`${stdout}${stderr}`));
      else resolve(stdout);
    });
  });
}

describe('the lint rules of src', () => {
  const attempts = new Map(places.map((place) => [place, attemptsFrom(place)]));
  let rejected: Set<string>;

  beforeAll(async () => {
    const text = (list: readonly Attempt[]) => list.map(({ specifier }) => `import '${specifier}';\n`).join('');
    rejected = await rejectedLines(
      Object.fromEntries([...attempts].map(([place, list]) => [join('src', place, 'attempt.ts'), text(list)])),
    );
  });

  it.each(places)('reject in src/%s every import against the order, and allow all others', (place) => {
    const list = attempts.get(place) ?? [];
    const verdicts = list.map(({ specifier }, index) => ({
      specifier,
      permitted: !rejected.has(`${join('src', place, 'attempt.ts')}:${index + 1}`),
    }));
    expect(verdicts).toEqual(list);
  });

  it('reject imports against the order in every form of import', async () => {
    const forms = [
      `import { run } from '../daemon/run.ts';`,
      `import type { Run } from '../daemon/run.ts';`,
      `export { run } from '../daemon/run.ts';`,
      `export * from '../daemon/run.ts';`,
      `export const run = () => import('../daemon/run.ts');`,
      `import { run } from './../daemon/run.ts';`,
    ];
    const lines = await rejectedLines({ 'src/base/attempt.ts': forms.join('\n') });
    expect(lines.size).toBe(forms.length);
  });

  it('reject imports in a folder without a rule', async () => {
    const text = `import '../base/errors.ts';\nimport 'zod';\nimport './neighbour.ts';\nimport 'node:fs';\n`;
    const files = { 'src/newcomer/attempt.ts': text, 'src/tunnels/newcomer/attempt.ts': text };
    expect(await rejectedLines(files)).toEqual(
      new Set(Object.keys(files).flatMap((file) => [`${file}:1`, `${file}:2`])),
    );
  });
});

describe('src', () => {
  const foldersOf = (path: string) =>
    readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));

  it('lists every folder of src in the order', () => {
    expect(foldersOf('src').sort()).toEqual(Object.keys(DISTRICTS).sort());
    expect(foldersOf('src/tunnels').sort()).toEqual(Object.keys(TUNNELS).sort());
  });

  it('imports in src only packages with an assigned folder', () => {
    expect(THIRD_PARTY.sort()).toEqual(Object.keys(PACKAGES).sort());
  });

  it('follows the order in src also in import forms that the lint rules miss', () => {
    const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((path) => /\.tsx?$/.test(path));
    const imports = files.flatMap((file) =>
      importsOf(readFileSync(join('src', file), 'utf8')).map((to) => ({ file, to })),
    );
    expect(imports.length).toBeGreaterThan(files.length);
    expect(imports.filter(({ file, to }) => !isPermitted(file, to))).toEqual([]);
  });
});

/** What a source names in `from`, `import` and `require`: also in a type, and in a call. */
function importsOf(source: string): string[] {
  const named = /\b(?:from\s+|import\s+|import\(|require\()'([^'\n]+)'/g;
  return [...source.matchAll(named)].flatMap(([, to]) => to ?? []);
}

function isPermitted(file: string, to: string): boolean {
  if (to.startsWith('node:')) return true;
  const place = dirname(file) === '.' ? '' : dirname(file);
  if (!to.startsWith('.')) return mayImportPackage(place, to);
  const target = join(dirname(file), to);
  // The manifest is the one file outside of src: the program reads its version there.
  if (target.startsWith('..')) return place === '' && target === '../package.json';
  if (dirname(target) === '.') return place === '';
  return mayImportFolder(place, dirname(target));
}
