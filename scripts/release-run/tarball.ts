import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Packs the npm package of a built checkout with `npm pack` into `out`, and returns its path. npm gives all files the same time,
 * so equal files give equal bytes. Uses no network, and runs no script of package.json.
 */
export function packTarball(checkout: string, out: string): string {
  mkdirSync(out, { recursive: true });
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', out];
  const printed = execFileSync('npm', args, { cwd: checkout, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const [packed] = JSON.parse(printed) as readonly { readonly filename: string }[];
  if (packed === undefined) throw new Error('npm pack made no package');
  return join(out, packed.filename);
}

/** The files of a tarball, sorted, without the leading `package/`. */
export function filesOf(tarball: string): string[] {
  const listed = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' });
  return listed
    .trim()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''))
    .sort();
}

/** Where files of the npm package may be. */
const PLACES = [
  /^(README|CHANGELOG)\.md$|^LICENSE$|^package\.json$/,
  /^dist\/[\w./-]+\.js$|^dist\/operator\/page\/index\.html$/,
  /^docs\/(?:[\w-]+\/)*[\w-]+\.md$|^docs\/images\/[\w-]+\.(svg|png)$/,
  /^config\/(\w[\w-]*\.schema\.json|example-\w+\.yaml)$/,
  /^config\/(grafana|prometheus)\/[\w./-]+\.(json|ya?ml)$/,
  /^systemd\/[\w./@-]+\.(service|socket|target|conf)$/,
];
/** One of each kind that a user needs. */
const NEEDED = [
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'dist/cli.js',
  'dist/operator/page/index.html',
  'docs/index.md',
  'config/tunnels.schema.json',
  'config/drain-plan.schema.json',
  'config/example-tunnels.yaml',
  'systemd/system/fleet-mesh.service',
  'systemd/user/fleet-mesh.service',
];

/** Missing and superfluous files of an npm package, one sentence each. Pure. */
export function wrongFiles(files: readonly string[]): string[] {
  return [
    ...NEEDED.filter((path) => !files.includes(path)).map((path) => `${path} is missing`),
    ...files
      .filter((path) => !PLACES.some((place) => place.test(path)))
      .map((path) => `${path} does not belong into the package`),
  ];
}
