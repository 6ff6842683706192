/** The program of scripts/build-apt-repo. */

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { sourceEpoch } from '../lib/source-epoch.ts';
import { buildRepository, KEYRING, nameOf, sourcesOf } from './repository.ts';

const USAGE = `usage: scripts/build-apt-repo --out DIR --key KEY PACKAGE.deb...

Builds an apt repository of the packages in DIR, and shows the source for apt. Packages that DIR has already stay.

  --out DIR   the repository: a directory that a web server or a file: URI serves
  --key KEY   signs with this key of your GnuPG
SOURCE_DATE_EPOCH sets the date (default: the newest commit).
`;

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { out: { type: 'string' }, key: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (values.out === undefined || values.key === undefined || positionals.length === 0) {
    process.stderr.write(
      `scripts/build-apt-repo: --out DIR, --key KEY and at least one PACKAGE.deb are needed\n${USAGE}`,
    );
    return 64;
  }
  const { FLEET_MESH_CALLED_FROM = process.cwd() } = process.env;
  const out = resolve(FLEET_MESH_CALLED_FROM, values.out);
  const packages = positionals.map((file) => resolve(FLEET_MESH_CALLED_FROM, file));
  for (const file of packages) process.stdout.write(`${nameOf(file)}\n`);
  const epoch = sourceEpoch(fileURLToPath(new URL('../..', import.meta.url)));
  buildRepository({ packages, out, epoch, key: values.key });
  process.stdout.write(`\n# /etc/apt/sources.list.d/fleet-mesh.sources; copy ${KEYRING} to /etc/apt/keyrings/\n`);
  process.stdout.write(sourcesOf(`file:${out}`));
  return 0;
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`scripts/build-apt-repo: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
