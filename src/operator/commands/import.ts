import { hostname, userInfo } from 'node:os';
import { readRegular } from '../../base/files/regular-file.ts';
import { printable } from '../../base/text/printable.ts';
import { parseConfig } from '../../config/load.ts';
import type { ConfigEnvironment } from '../../config/paths.ts';
import { ConfigError, formatProblem } from '../../config/problem.ts';
import { NotTranslatable, type SshEntry } from '../../machine/import/entry.ts';
import { entryOf, resolveHost } from '../../machine/import/ssh-config.ts';
import { translate } from '../../machine/import/translate.ts';
import { readUnit } from '../../machine/import/unit.ts';
import { yamlText } from '../../machine/import/yaml-text.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';

export interface ImportOptions {
  readonly json: boolean;
  /** A file to read instead of the user's and the system's ssh_config. */
  readonly sshConfig?: string | undefined;
}

type ImportIo = CommandIo & { readonly env: ConfigEnvironment };

/** The entries, and one line for each failure. */
interface Harvest {
  readonly entries: SshEntry[];
  readonly jumps: Map<string, SshEntry>;
  readonly failures: string[];
}

/** Far more than a unit file has. */
const MOST_UNIT_BYTES = 1024 * 1024;

/** `fleet-mesh import ssh-unit FILE…`: systemd units that run ssh, as tunnel YAML. Reads only files. */
export async function importUnits(files: readonly string[], options: ImportOptions, io: ImportIo): Promise<ExitCode> {
  const harvest: Harvest = { entries: [], jumps: new Map(), failures: [] };
  const context = { hostname: hostname(), user: userInfo().username };
  for (const file of files) {
    const unit = await readRegular(file, MOST_UNIT_BYTES).catch((error: NodeJS.ErrnoException) => {
      harvest.failures.push(`${file} cannot be read (${error.code})`);
      return undefined;
    });
    if (unit === undefined) continue;
    const { entries, failures } = readUnit(file, unit.toString('utf8'), context);
    harvest.entries.push(...entries);
    harvest.failures.push(...failures);
  }
  return hand(harvest, `fleet-mesh import ssh-unit ${files.join(' ')}`, options, io);
}

/** `fleet-mesh import ssh-config HOST…`: hosts of ssh_config(5), as `ssh -G` resolves them, as tunnel YAML. */
export async function importHosts(hosts: readonly string[], options: ImportOptions, io: ImportIo): Promise<ExitCode> {
  const harvest: Harvest = { entries: [], jumps: new Map(), failures: [] };
  for (const host of hosts) await resolveInto(harvest, host, options.sshConfig, harvest.entries);
  // Jump hosts have their own settings, and may have jump hosts too.
  const pending = harvest.entries.flatMap(jumpsOf);
  for (let host = pending.shift(); host !== undefined; host = pending.shift()) {
    if (harvest.jumps.has(host)) continue;
    const found: SshEntry[] = [];
    await resolveInto(harvest, host, options.sshConfig, found);
    const [entry] = found;
    if (entry === undefined) break;
    harvest.jumps.set(host, entry);
    pending.push(...jumpsOf(entry));
  }
  return hand(harvest, `fleet-mesh import ssh-config ${hosts.join(' ')}`, options, io);
}

async function resolveInto(harvest: Harvest, host: string, file: string | undefined, into: SshEntry[]): Promise<void> {
  try {
    into.push(entryOf(host, await resolveHost(host, file)));
  } catch (error) {
    if (!(error instanceof NotTranslatable)) throw error;
    harvest.failures.push(`${host}: ${error.message}`);
  }
}

function jumpsOf({ options }: SshEntry): string[] {
  const written = options.find(({ keyword }) => keyword === 'proxyjump')?.value;
  if (written === undefined || written === 'none') return [];
  return written.split(',').map((hop) =>
    hop
      .replace(/^ssh:\/\//, '')
      .replace(/^[^@]*@/, '')
      .replace(/:\d+\/?$/, ''),
  );
}

/** Checks and prints the YAML. Each failure is a comment in the YAML and a line on standard error. */
function hand({ entries, jumps, failures }: Harvest, how: string, options: ImportOptions, io: ImportIo): ExitCode {
  const draft = translate(entries, hostname(), jumps);
  const complete = {
    ...draft,
    remarks: [...failures.map((failure) => `NOT TRANSLATED: ${failure}`), ...draft.remarks],
  };
  const text = yamlText(complete, how);
  const problems = problemsOf(text, io.env);
  const ok = failures.length === 0 && problems.length === 0;
  if (options.json) {
    io.out(`${JSON.stringify({ ok, yaml: text, remarks: complete.remarks, failures, problems }, null, 2)}\n`);
    return ok ? EXIT.ok : EXIT.failed;
  }
  io.out(text);
  for (const failure of failures) io.err(`fleet-mesh: not translated: ${printable(failure)}\n`);
  for (const problem of problems) io.err(`fleet-mesh: fix this in the output: ${problem}\n`);
  return ok ? EXIT.ok : EXIT.failed;
}

function problemsOf(text: string, env: ConfigEnvironment): string[] {
  try {
    parseConfig(Buffer.from(text), 'tunnels.yaml', env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(formatProblem);
    throw error;
  }
}
