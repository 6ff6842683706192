/** The program of scripts/install-node: packs the release and installs it on the node. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type InstallNodeArguments, parseArguments, USAGE } from './arguments.ts';
import { farCommand, GIVEN_CONFIG } from './far-command.ts';
import { packRelease } from './pack.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const { FLEET_MESH_CALLED_FROM = process.cwd() } = process.env;

/** `ended` settles with the exit code; 1 for a killed program. */
async function run(program: string, args: readonly string[], input: 'ignore' | 'pipe' = 'ignore') {
  const child = spawn(program, args, { stdio: [input, 'inherit', 'inherit'] });
  const ended = once(child, 'exit').then(([code]: (number | null)[]) => code ?? 1);
  return { child, ended };
}

async function here(tree: string, { command, flags, config }: InstallNodeArguments): Promise<number> {
  const given = config === undefined ? [] : ['--config', resolve(FLEET_MESH_CALLED_FROM, config)];
  return (await run(process.execPath, [join(tree, 'dist/cli.js'), command, ...flags, ...given])).ended;
}

async function there(tree: string, host: string, args: InstallNodeArguments): Promise<number> {
  const { command, flags, config, sshConfig } = args;
  if (config !== undefined) await copyFile(resolve(FLEET_MESH_CALLED_FROM, config), join(tree, GIVEN_CONFIG));
  const options = ['-o', 'BatchMode=yes', '-T', ...(sshConfig === undefined ? [] : ['-F', sshConfig])];
  const remote = farCommand(command, flags, config !== undefined);
  const ssh = await run('ssh', [...options, '--', host, remote], 'pipe');
  const tar = spawn('tar', ['-czf', '-', '-C', tree, '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  // If the node stops reading, its exit code has the reason.
  ssh.child.stdin?.on('error', () => {});
  if (ssh.child.stdin) tar.stdout.pipe(ssh.child.stdin);
  const code = await ssh.ended;
  // Without a reader, tar would wait for ever.
  tar.stdout.destroy();
  return code;
}

async function main(args: InstallNodeArguments): Promise<number> {
  const { config } = args;
  // Checked before packing; the message is the same for every HOST.
  if (config !== undefined) {
    await access(resolve(FLEET_MESH_CALLED_FROM, config), constants.R_OK).catch((error: NodeJS.ErrnoException) => {
      throw new Error(`cannot read ${config} (${error.code})`);
    });
  }
  const tree = await mkdtemp(join(tmpdir(), 'fleet-mesh-release-'));
  try {
    packRelease(checkout, tree);
    return await (args.host === undefined ? here(tree, args) : there(tree, args.host, args));
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

// Ctrl-C also reaches the child, which undoes its changes: wait for its end.
process.on('SIGINT', () => {});
const messageOf = (error: unknown) => `install-node: ${error instanceof Error ? error.message : String(error)}\n`;

let args: InstallNodeArguments | 'help' | undefined;
try {
  args = parseArguments(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n${USAGE}`);
  process.exitCode = 64;
}
if (args === 'help') process.stdout.write(USAGE);
else if (args !== undefined) {
  try {
    process.exitCode = await main(args);
  } catch (error) {
    process.stderr.write(messageOf(error));
    process.exitCode = 1;
  }
}
