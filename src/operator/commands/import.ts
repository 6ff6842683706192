import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { readRegular } from '../../base/files/regular-file.ts';
import { printable } from '../../base/text/printable.ts';
import { parseConfig } from '../../config/load.ts';
import { type ConfigEnvironment, outsideOfUnit } from '../../config/paths.ts';
import { ConfigError, formatProblem } from '../../config/problem.ts';
import type { Draft } from '../../machine/import/draft.ts';
import { type Account, loss, NotTranslatable, type SshEntry } from '../../machine/import/entry.ts';
import { hopsOf } from '../../machine/import/hops.ts';
import { hostsOfPattern, isPattern } from '../../machine/import/host-patterns.ts';
import { translateBridge } from '../../machine/import/ops-bridge.ts';
import { entryOf, resolveHost } from '../../machine/import/ssh-config.ts';
import { translate } from '../../machine/import/translate.ts';
import { entriesOfUnit } from '../../machine/import/unit-entries.ts';
import { homesOf, readUnitText } from '../../machine/import/unit-source.ts';
import { withUsualFiles } from '../../machine/import/usual-files.ts';
import { yamlText } from '../../machine/import/yaml-text.ts';
import { account } from './account.ts';
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

/** `fleet-mesh import ssh-unit FILE…`: systemd units that run ssh, as tunnel YAML. Reads files, and runs `ssh -G`. */
export async function importUnits(files: readonly string[], options: ImportOptions, io: ImportIo): Promise<ExitCode> {
  const harvest: Harvest = { entries: [], jumps: new Map(), failures: [] };
  const user = account({});
  const context = { hostname: hostname(), user, homes: await homesOf() };
  // ssh -G of another user runs elsewhere.
  const sshConfig = options.sshConfig && resolve(options.sshConfig);
  // The directory of a unit says whether the unit is one of the system.
  for (const file of files.map((each) => resolve(each))) {
    try {
      const found = await entriesOfUnit(file, await readUnitText(file), context, sshConfig);
      for (const entry of found.entries) harvest.entries.push(await withUsualFiles(entry));
      harvest.failures.push(...found.failures);
    } catch (error) {
      if (!(error instanceof NotTranslatable)) throw error;
      harvest.failures.push(`${error.message}.`);
    }
  }
  await resolveJumps(harvest, user);
  return handEntries(harvest, `fleet-mesh import ssh-unit ${files.join(' ')}`, options, io);
}

/** `fleet-mesh import ssh-config HOST…`: hosts of ssh_config(5), as `ssh -G` resolves them, as tunnel YAML. */
export async function importHosts(hosts: readonly string[], options: ImportOptions, io: ImportIo): Promise<ExitCode> {
  const harvest: Harvest = { entries: [], jumps: new Map(), failures: [] };
  const user = account({});
  for (const host of await named(hosts, options.sshConfig, harvest.failures)) {
    const entry = await resolved(host, options.sshConfig, user, harvest.failures);
    if (entry !== undefined) harvest.entries.push(entry);
  }
  await resolveJumps(harvest, user);
  return handEntries(harvest, `fleet-mesh import ssh-config ${hosts.join(' ')}`, options, io);
}

/** `fleet-mesh import ops-bridge FILE`: the tunnels.yaml of the predecessor, as tunnel YAML. */
export async function importBridge(file: string, options: ImportOptions, io: ImportIo): Promise<ExitCode> {
  const text = await readTextOf(file);
  const draft =
    typeof text === 'string'
      ? translateBridge(text, hostname(), account({}))
      : {
          ...translate([], hostname()),
          remarks: [loss(`${file} cannot be read (${text.code}).`)],
        };
  return hand(draft, `fleet-mesh import ops-bridge ${file}`, options, io);
}

/** The text of a file, or why it cannot be read. */
async function readTextOf(path: string): Promise<string | NodeJS.ErrnoException> {
  return readRegular(path).then(
    (bytes) => bytes.toString('utf8'),
    (error: NodeJS.ErrnoException) => error,
  );
}

/** A pattern is replaced by the hosts that the configuration names. */
async function named(hosts: readonly string[], file: string | undefined, failures: string[]): Promise<string[]> {
  const names: string[] = [];
  for (const host of hosts) {
    const found = isPattern(host) ? await hostsOfPattern(host, file) : [host];
    if (found.length === 0) failures.push(`ssh_config names no host that ${host} matches: name the hosts.`);
    names.push(...found);
  }
  return names;
}

/** Jump hosts have their own settings, and may have jump hosts too. */
async function resolveJumps({ entries, jumps, failures }: Harvest, user: string): Promise<void> {
  const pending = [...entries];
  for (let entry = pending.shift(); entry !== undefined; entry = pending.shift()) {
    const { configFile } = entry;
    if (/^(none|\/dev\/null)$/.test(configFile ?? '')) continue;
    for (const hop of hopsOf(entry) ?? []) {
      if (!hop.configured || jumps.has(hop.destination)) continue;
      const found = await resolved(hop.destination, configFile, user, failures, entry.account);
      if (found === undefined) continue;
      const { localUser, home, account } = entry;
      jumps.set(hop.destination, found);
      pending.push({ ...found, localUser, home, account });
    }
  }
}

async function resolved(
  host: string,
  file: string | undefined,
  user: string,
  failures: string[],
  account: Account | undefined = undefined,
) {
  try {
    return entryOf(host, await resolveHost(host, file, undefined, account), user, file);
  } catch (error) {
    if (!(error instanceof NotTranslatable)) throw error;
    failures.push(`${host}: ${error.message}.`);
    return undefined;
  }
}

function handEntries(
  { entries, jumps, failures }: Harvest,
  how: string,
  options: ImportOptions,
  io: ImportIo,
): ExitCode {
  const draft = translate(entries, hostname(), jumps);
  return hand({ ...draft, remarks: [...failures.map(loss), ...draft.remarks] }, how, options, io);
}

/** Checks and prints the YAML. Each loss is a comment in the YAML and a line on standard error. */
function hand(draft: Draft, how: string, options: ImportOptions, io: ImportIo): ExitCode {
  const text = yamlText(draft, how);
  const problems = problemsOf(text, io.env);
  const failures = draft.remarks.flatMap((remark) => (remark.lost ? [remark.text] : []));
  const ok = failures.length === 0 && problems.length === 0 && draft.tunnels.size > 0;
  if (options.json) {
    const remarks = draft.remarks.map((remark) => remark.text);
    io.out(`${JSON.stringify({ ok, yaml: text, remarks, failures, problems }, null, 2)}\n`);
    return ok ? EXIT.ok : EXIT.failed;
  }
  io.out(text);
  for (const failure of failures) io.err(`fleet-mesh: not translated: ${printable(failure)}\n`);
  for (const problem of problems) io.err(`fleet-mesh: fix this in the output: ${problem}\n`);
  return ok ? EXIT.ok : EXIT.failed;
}

function problemsOf(text: string, env: ConfigEnvironment): string[] {
  try {
    // The unit of the daemon hands the credentials over, not this shell.
    parseConfig(Buffer.from(text), 'tunnels.yaml', outsideOfUnit(env));
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(formatProblem);
    throw error;
  }
}
