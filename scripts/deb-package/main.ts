import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildPackage } from './build.ts';

const USAGE = `usage: scripts/build-deb [--out DIR] [--revision N]

Builds fleet-mesh_VERSION-N_all.deb (default: revision 1, in the current directory) and prints its path.
SOURCE_DATE_EPOCH sets the file times; DEBFULLNAME and DEBEMAIL set the maintainer.
`;

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

/** The time of the newest commit, so that every build gives equal bytes; without git, the time of the changelog. */
function sourceEpoch(): number {
  const { SOURCE_DATE_EPOCH } = process.env;
  if (SOURCE_DATE_EPOCH !== undefined) return Number(SOURCE_DATE_EPOCH);
  try {
    const options = { cwd: CHECKOUT, encoding: 'utf8' as const };
    return Number(execFileSync('git', ['log', '-1', '--format=%ct'], options));
  } catch {
    return Math.floor(statSync(`${CHECKOUT}CHANGELOG.md`).mtimeMs / 1_000);
  }
}

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
  const epoch = sourceEpoch();
  if (!Number.isSafeInteger(epoch)) throw new Error('SOURCE_DATE_EPOCH is not a whole number of seconds');
  const { DEBFULLNAME = 'fleet-mesh authors', DEBEMAIL = 'fleet-mesh@localhost.invalid' } = process.env;
  const file = buildPackage({
    checkout: CHECKOUT,
    out: resolve(values.out),
    revision: values.revision,
    maintainer: `${DEBFULLNAME} <${DEBEMAIL}>`,
    epoch,
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
