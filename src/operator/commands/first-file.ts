import { constants, existsSync } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { createNew, fill } from '../../base/files/write-atomically.ts';
import { homeOf } from '../../base/home.ts';
import type { DefaultPathEnvironment } from '../../config/paths.ts';
import { nameOf } from '../../machine/import/draft.ts';

/** The directory of the system unit: there after an installation. */
const SYSTEM_DIRECTORY = '/etc/fleet-mesh';

/** Where a first file goes: beside the system unit if this user may write there, else in the home. */
async function firstPath(env: DefaultPathEnvironment): Promise<string> {
  const isWritable = await access(SYSTEM_DIRECTORY, constants.W_OK).then(
    () => true,
    () => false,
  );
  return join(isWritable ? SYSTEM_DIRECTORY : join(homeOf(env), '.config/fleet-mesh'), 'tunnels.yaml');
}

/** The file of `--config`; if neither of the usual files exists, the one that `init` makes. */
export async function fileToChange(config: string, isChosen: boolean, env: DefaultPathEnvironment): Promise<string> {
  return isChosen || env.FLEET_MESH_CONFIG || existsSync(config) ? config : firstPath(env);
}

/** A valid file for this machine, without tunnels. */
export function firstText(): string {
  const node = nameOf(hostname().split('.')[0] ?? '', 'this-node');
  // A host may have the name of a number or of a YAML word.
  const isPlain = /^[a-z]/.test(node) && !/^(?:null|true|false|yes|no|on|off)$/.test(node);
  const name = isPlain ? node : JSON.stringify(node);
  return `# The SSH tunnels of this machine, for fleet-mesh.
# Add one: fleet-mesh add db -L 15432:10.0.0.12:5432 user@bastion.example.net
# All fields: fleet-mesh schema config
version: 1
node: ${name}
hosts:
  ${name}: { address: 127.0.0.1 }  # this machine
actors: {}
tunnels: {}
`;
}

/** Whether the daemon of the system unit reads the file, as another user. */
export function isSystemFile(path: string): boolean {
  return dirname(path) === SYSTEM_DIRECTORY;
}

/** Creates the file: 0600, because a webhook in it may be secret, or 0644 for the system unit, which has its own user. Rejects with `EEXIST` if the path exists. */
export async function createFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await createNew(path);
  try {
    await fill(file, text, isSystemFile(path) ? 0o644 : 0o600);
  } finally {
    await file.close();
  }
}
