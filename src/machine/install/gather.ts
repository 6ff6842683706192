import { existsSync } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { runBounded } from '../../base/process/run-bounded.ts';
import type { Config } from '../../config/config.ts';
import { parseConfig } from '../../config/load.ts';
import { ConfigError } from '../../config/problem.ts';
import { entriesOfUnit } from '../import/unit-entries.ts';
import { homesOf } from '../import/unit-source.ts';
import type { Facts, UnitState } from './facts.ts';
import { forwardsOf, type OldUnit, runsSsh } from './old-units.ts';
import type { Places } from './places.ts';
import { CURRENT } from './plan.ts';
import { missingPrerequisites, SYSTEMD_PATH, systemdVersion } from './prerequisites.ts';
import { type InstallRecord, recordSchema } from './record.ts';
import { readRelease } from './release.ts';
import { socketsFor } from './sockets.ts';
import { isActive, isEnabled, parseShow } from './systemctl-show.ts';
import { portsInUse } from './taken-ports.ts';
import { SERVICE, wantedFiles } from './wanted-files.ts';

export interface SurveyOptions {
  /** The directory of the unpacked release. */
  readonly tree: string;
  /** The configuration file that the operator gave; undefined: none. */
  readonly configFile: string | undefined;
}

export interface SurveyorDependencies {
  readonly places: Places;
  readonly user: string;
  readonly env: NodeJS.ProcessEnv;
}

const ASK_MS = 20_000;
const MOST_OUTPUT = 8 * 1024 * 1024;

/** Gathers the facts about a node; changes nothing. */
export class Surveyor {
  readonly #places: Places;
  readonly #env: NodeJS.ProcessEnv;
  readonly #user: string;

  constructor({ places, env, user }: SurveyorDependencies) {
    this.#places = places;
    this.#env = env;
    this.#user = user;
  }

  /** The facts, or the missing prerequisites. Rejects with a ConfigError, or if systemd does not answer. */
  async survey(options: SurveyOptions): Promise<Facts | { problems: readonly string[] }> {
    const places = this.#places;
    const nodePath = SYSTEMD_PATH.map((directory) => join(directory, 'node')).find((path) => existsSync(path));
    const systemd = await this.#ask('systemctl', '--version');
    const problems = missingPrerequisites({
      scope: places.scope,
      isRoot: process.geteuid?.() === 0,
      node:
        nodePath === undefined
          ? undefined
          : { path: nodePath, version: (await this.#ask(nodePath, '--version'))?.trim() ?? '' },
      systemd,
      answers: (await this.#ask(...places.systemctl, 'show', '--property=Version')) !== undefined,
      packaged: /^Status: .* installed$/m.test((await this.#ask('dpkg-query', '--status', 'fleet-mesh')) ?? ''),
      user: this.#user,
    });
    if (problems.length > 0 || nodePath === undefined) return { problems };

    const release = await readRelease(options.tree, places.scope);
    const { config, newConfig } = await this.#config(options.configFile);
    const { sockets } = config === undefined ? { sockets: [] } : socketsFor(config, places.scope);
    const module = join(options.tree, 'node_modules/sd-notify');
    const traits = {
      systemdVersion: systemdVersion(systemd) ?? 0,
      speaksNatively: (await this.#ask(nodePath, '-e', 'require(process.argv[1])', module)) !== undefined,
    };
    const record = await this.record();
    const paths = [...wantedFiles(places, release, sockets, traits, config).keys(), ...(record?.files ?? [])];
    const units = [...new Set([...sockets.map(({ name }) => name), SERVICE, ...(record?.units ?? [])])];
    return {
      places,
      release,
      traits,
      node: nodePath,
      user: this.#user,
      lingering: places.scope === 'user' ? existsSync(`/var/lib/systemd/linger/${this.#user}`) : undefined,
      files: await textsOf(paths),
      links: await linksOf([join(places.library, CURRENT), join(places.library, 'dist'), places.command]),
      commandTaken: record?.command == null && (await lstat(places.command).catch(() => undefined)) !== undefined,
      dropIns: [...(await textsOf(await this.dropIns())).values()],
      releases: await this.releases(),
      record,
      config,
      newConfig,
      units: await this.units(units),
      oldUnits: await this.#oldUnits(),
      takenPorts: await portsInUse(),
    };
  }

  /** Undefined without an installation. Rejects with a ConfigError for a file that this release cannot read. */
  async record(): Promise<InstallRecord | undefined> {
    const { record: path } = this.#places;
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      return recordSchema.parse(JSON.parse(text));
    } catch {
      const message =
        'this release cannot read the record of the installation: run the release that wrote the file, or move the file away';
      throw new ConfigError([{ file: path, line: 1, column: 1, path: '', message }]);
    }
  }

  async releases(): Promise<string[]> {
    const names = await readdir(join(this.#places.library, 'releases')).catch(() => []);
    return names.filter((name) => !name.endsWith('.new'));
  }

  /** Paths of the drop-ins of the daemon's unit, in systemd's order. */
  async dropIns(): Promise<string[]> {
    const directory = join(this.#places.units, `${SERVICE}.d`);
    const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.conf')).sort();
    return names.map((name) => join(directory, name));
  }

  async units(names: readonly string[]): Promise<Map<string, UnitState>> {
    const shown = await this.#show('Id,ActiveState,UnitFileState', ...names);
    return new Map(shown.map((unit) => [unit.get('Id') ?? '', { active: isActive(unit), enabled: isEnabled(unit) }]));
  }

  /** An installed configuration belongs to the operator: it wins over the given one. */
  async #config(given: string | undefined): Promise<{ config: Config | undefined; newConfig: string | undefined }> {
    const { config: path, daemonEnvironment } = this.#places;
    const present = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (present !== undefined) return { config: parseConfig(present, path, daemonEnvironment), newConfig: undefined };
    if (given === undefined) return { config: undefined, newConfig: undefined };
    const bytes = await readFile(given).catch((error: NodeJS.ErrnoException) => {
      const message = `cannot be read (${error.code})`;
      throw new ConfigError([{ file: given, line: 1, column: 1, path: '', message }]);
    });
    return { config: parseConfig(bytes, path, daemonEnvironment), newConfig: bytes.toString() };
  }

  /** systemd loads every unit that runs or is enabled, so a look at the loaded units finds all. */
  async #oldUnits(): Promise<OldUnit[]> {
    const shown = await this.#show('Id,ActiveState,UnitFileState,ExecStart', '*.service');
    const found: OldUnit[] = [];
    const context = { hostname: hostname(), user: this.#user, homes: await homesOf() };
    for (const each of shown) {
      const unit = each.get('Id') ?? '';
      const [active, enabled] = [isActive(each), isEnabled(each)];
      if (!runsSsh(each.get('ExecStart') ?? '') || (!active && !enabled)) continue;
      const text = await this.#ask(...this.#places.systemctl, 'cat', '--', unit);
      const { entries, failures } =
        text === undefined
          ? { entries: [], failures: [`${unit} cannot be read.`] }
          : await entriesOfUnit(join(this.#places.units, unit), text, context);
      found.push({ unit, active, enabled, forwards: forwardsOf(entries), unknown: failures });
    }
    return found.sort((a, b) => a.unit.localeCompare(b.unit));
  }

  async #show(properties: string, ...units: readonly string[]): Promise<ReadonlyMap<string, string>[]> {
    const text = await this.#ask(...this.#places.systemctl, 'show', `--property=${properties}`, '--', ...units);
    if (text === undefined) throw new Error(`${this.#places.systemctl.join(' ')} show does not answer`);
    return parseShow(text);
  }

  /** Standard output; undefined if the command cannot start or fails. */
  async #ask(...argv: readonly string[]): Promise<string | undefined> {
    const bounds = { timeoutMs: ASK_MS, stdoutLimit: MOST_OUTPUT, stderrLimit: MOST_OUTPUT };
    const outcome = await runBounded({ argv, env: this.#env, ...bounds }, new AbortController().signal);
    return outcome.kind === 'exited' && outcome.code === 0 ? outcome.stdout.toString() : undefined;
  }
}

async function textsOf(paths: readonly string[]): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text !== undefined) texts.set(path, text);
  }
  return texts;
}

async function linksOf(paths: readonly string[]): Promise<Map<string, string>> {
  const links = new Map<string, string>();
  for (const path of paths) {
    const to = await readlink(path).catch(() => undefined);
    if (to !== undefined) links.set(path, to);
  }
  return links;
}
