import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { sourceEpoch } from '../lib/source-epoch.ts';
import { buildPackage } from './build.ts';
import { maintainerOf } from './control.ts';

const USAGE = `usage: scripts/build-deb [--out DIR] [--revision N]

Builds fleet-mesh_VERSION-N_all.deb (default: revision 1, in the current directory) and prints its path.
SOURCE_DATE_EPOCH sets the file times; DEBFULLNAME and DEBEMAIL set the maintainer.
`;

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

function main(): number {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: '.' },
      revision: { type: 'string', default: '1' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (!/^[A-Za-z0-9.+~]+$/.test(values.revision))
    throw new Error(`--revision ${values.revision}: letters, digits, . + ~`);
  const file = buildPackage({
    checkout: CHECKOUT,
    out: resolve(values.out),
    revision: values.revision,
    maintainer: maintainerOf(process.env),
    epoch: sourceEpoch(CHECKOUT),
  });
  process.stdout.write(`${file}\n`);
  return 0;
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`scripts/build-deb: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
