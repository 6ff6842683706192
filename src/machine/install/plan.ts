import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import { doctorSteps } from './doctor-steps.ts';
import { type Facts, stateOf } from './facts.ts';
import { handOverFiles } from './hand-over.ts';
import { type Replacement, replacementsFor } from './old-units.ts';
import { programPath, releasePath } from './places.ts';
import type { Before, InstallRecord } from './record.ts';
import { recordText } from './record.ts';
import { type SocketUnit, socketsFor } from './sockets.ts';
import { command, type Step, write } from './step.ts';
import { portsOf, takenBySomebody } from './taken.ts';
import { SERVICE, type WantedFile, wantedFiles } from './wanted-files.ts';

export interface InstallOptions {
  /** How long tunnels may take to come up, in milliseconds. */
  readonly timeoutMs: number;
  /** Checks only tunnels that replace an old unit. */
  readonly skipDoctor: boolean;
}

/** The steps, in this order. `files` change no running unit; if the doctor then finds a failure, the installation ends. */
export interface InstallPlan {
  readonly files: readonly Step[];
  readonly doctor: readonly Step[];
  readonly switch: readonly Step[];
  /** Steps that may fail without harm. */
  readonly tidy: readonly Step[];
  readonly before: Before;
  /** Tunnels that must come up, and stay up. */
  readonly watched: readonly string[];
  /** For the operator, one line each. */
  readonly notes: readonly string[];
}

export const CURRENT = 'current';
const WAIT_GRACE_MS = 20_000;

/** Plans the installation of the release from the facts, or lists the reasons against it. Pure. */
export function planInstall(facts: Facts, options: InstallOptions): InstallPlan | { problems: readonly string[] } {
  const { config } = facts;
  const { replacements, problems } =
    config === undefined ? { replacements: [], problems: [] } : replacementsFor(facts.oldUnits, config);
  const { sockets, without } =
    config === undefined ? { sockets: [], without: [] } : socketsFor(config, facts.places.scope);
  const all = [...problems, ...takenBySomebody(facts, config, replacements)];
  if (all.length > 0) return { problems: all };
  return new Planner(facts, options, sockets, replacements).plan(without);
}

class Planner {
  readonly #facts: Facts;
  readonly #options: InstallOptions;
  readonly #sockets: readonly SocketUnit[];
  readonly #replacements: readonly Replacement[];
  readonly #wanted: ReadonlyMap<string, WantedFile>;
  readonly #socketNames: readonly string[];
  /** Drop-ins (path and text) that exist only during the switch. */
  readonly #handOver: readonly [string, string][];
  /** Units of an earlier configuration. */
  readonly #goneUnits: readonly string[];

  constructor(
    facts: Facts,
    options: InstallOptions,
    sockets: readonly SocketUnit[],
    replacements: readonly Replacement[],
  ) {
    this.#facts = facts;
    this.#options = options;
    this.#sockets = sockets;
    this.#replacements = replacements;
    this.#wanted = wantedFiles(facts.places, facts.release, sockets, facts.traits, facts.config);
    this.#handOver = handOverFiles(facts.places, replacements, sockets);
    this.#socketNames = sockets.map(({ name }) => name);
    const units = this.#units();
    this.#goneUnits = (facts.record?.units ?? []).filter((unit) => !units.includes(unit));
  }

  plan(without: readonly string[]): InstallPlan {
    const { places, config, release } = this.#facts;
    const changed = this.#changedFiles();
    const restarts = changed.some(([, { restarts }]) => restarts) || this.#goneFiles().length > 0;
    const links = this.#links().filter(({ path, to }) => this.#facts.links.get(path) !== to);
    const disabled = this.#units().filter((unit) => !stateOf(this.#facts, unit).enabled);
    const asleep = this.#units().filter((unit) => !stateOf(this.#facts, unit).active);
    const isNew = !this.#facts.releases.includes(release.id);
    const lingers = this.#facts.lingering === false;
    const before = this.#before(changed, disabled, isNew);
    const nothing =
      changed.length + this.#goneUnits.length + links.length + this.#replacements.length === 0 &&
      !restarts &&
      !isNew &&
      !lingers &&
      this.#facts.newConfig === undefined &&
      disabled.length + asleep.length === 0;
    if (nothing) return { files: [], doctor: [], switch: [], tidy: [], before, watched: [], notes: [] };

    const files: Step[] = [
      ...(lingers ? [command('loginctl', 'enable-linger', this.#facts.user)] : []),
      write(places.record, recordText(this.#record(before)), 'the record'),
      ...(isNew ? [{ kind: 'copy-tree', from: release.tree, to: releasePath(places, release.id) } as const] : []),
      ...changed.map(([path, { text, shipped }]) => write(path, text, shipped)),
      ...this.#accounts(changed),
      ...(this.#facts.newConfig === undefined ? [] : [write(places.config, this.#facts.newConfig, 'as given')]),
    ];
    const notes = [
      ...without.map((what) => `${what} gets no socket unit (systemd resolves no names); the daemon binds the port`),
      ...(this.#facts.commandTaken
        ? [`${places.command} belongs to another program and stays: use ${join(places.library, 'dist/cli.js')} instead`]
        : []),
    ];
    if (config === undefined) {
      return {
        files: [...files, ...links, this.#systemctl('daemon-reload')],
        doctor: [],
        switch: [],
        tidy: this.#tidy(),
        before,
        watched: [],
        notes: [
          ...notes,
          `nothing started: ${places.config} does not exist; write it (example: ${join(places.configDirectory, 'example-tunnels.yaml')})${places.keys === undefined ? '' : `, put private keys into ${places.keys} (mode 0600; in the YAML, FILE is \`key: credential:key_FILE\`)`}, then install again`,
        ],
      };
    }
    return {
      files,
      doctor: doctorSteps(this.#facts, config, this.#options.skipDoctor, this.#replacements),
      switch: this.#switch(config, links, disabled, changed),
      tidy: this.#tidy(),
      before,
      watched: this.#watched(config),
      notes,
    };
  }

  #units(): string[] {
    return this.#facts.config === undefined ? [] : [...this.#socketNames, SERVICE];
  }

  #changedFiles(): [string, WantedFile][] {
    return [...this.#wanted].filter(([path, { text }]) => this.#facts.files.get(path) !== text);
  }

  /** Files of an earlier run that are no longer needed. */
  #goneFiles(): string[] {
    const before = this.#facts.record?.files ?? [];
    return before.filter((path) => !this.#wanted.has(path) && this.#facts.files.has(path));
  }

  #links() {
    const { commandTaken } = this.#facts;
    const { library, command } = this.#facts.places;
    return [
      { kind: 'link', path: join(library, CURRENT), to: join('releases', this.#facts.release.id) },
      // The units run the program by this path.
      { kind: 'link', path: join(library, 'dist'), to: join(CURRENT, 'dist') },
      ...(commandTaken ? [] : [{ kind: 'link', path: command, to: join(library, 'dist/cli.js') } as const]),
    ] as const;
  }

  #accounts(changed: readonly (readonly [string, WantedFile])[]): Step[] {
    const { sysusers, tmpfiles } = this.#facts.places;
    const has = (path: string | undefined) => changed.some(([each]) => each === path);
    return [
      ...(sysusers && has(sysusers) ? [command('systemd-sysusers', sysusers)] : []),
      ...(tmpfiles && has(tmpfiles) ? [command('systemd-tmpfiles', '--create', tmpfiles)] : []),
    ];
  }

  #switch(
    config: Config,
    links: readonly Step[],
    disabled: readonly string[],
    changed: readonly (readonly [string, WantedFile])[],
  ): Step[] {
    const { places, release, node } = this.#facts;
    const running = stateOf(this.#facts, SERVICE).active;
    const moved = this.#sockets
      .filter(({ name, files }) => {
        const own = [...files.keys()].map((path) => join(places.units, path));
        return stateOf(this.#facts, name).active && changed.some(([path]) => own.includes(path));
      })
      .map(({ name }) => name);
    const watched = this.#watched(config);
    const passing = this.#handOver;
    const retired = this.#replacements.filter(({ old }) => old.enabled).map(({ old }) => old.unit);
    return [
      ...(this.#goneUnits.length > 0 ? [this.#systemctl('disable', ...this.#goneUnits)] : []),
      ...this.#stop([...this.#goneUnits, ...moved].filter((unit) => stateOf(this.#facts, unit).active)),
      ...this.#goneFiles().map((path) => ({ kind: 'remove', path }) as const),
      ...links,
      ...passing.map(([path, text]) => write(path, text, undefined)),
      this.#systemctl('daemon-reload'),
      ...(disabled.length > 0 ? [this.#systemctl('enable', ...disabled)] : []),
      this.#systemctl(running ? 'restart' : 'start', SERVICE),
      ...passing.map(([path]) => ({ kind: 'remove', path }) as const),
      ...(passing.length > 0 ? [this.#systemctl('daemon-reload')] : []),
      // Fails if a socket did not start with the daemon.
      this.#systemctl('is-active', '--quiet', ...this.#socketNames),
      ...(watched.length === 0
        ? []
        : [
            {
              kind: 'command',
              argv: [
                ...[node, programPath(places, release.id), 'wait', '--config', places.config],
                ...['--for', 'up', '--timeout', `${this.#options.timeoutMs}ms`, ...watched],
              ] as [string, ...string[]],
              timeoutMs: this.#options.timeoutMs + WAIT_GRACE_MS,
            } as const,
          ]),
      ...(retired.length > 0 ? [this.#systemctl('disable', ...retired)] : []),
    ];
  }

  /** Tunnels that must come up: those that the doctor checked. Without remote ones: a host may forbid their proof. */
  #watched({ tunnels }: Config): string[] {
    if (this.#options.skipDoctor) return this.#replacements.flatMap((each) => each.tunnels);
    return [...tunnels.values()].filter(({ direction }) => direction !== 'remote').map(({ name }) => name);
  }

  /** Removes all releases except the current and the previous one. Replaced units that ended with an error are no failures. */
  #tidy(): Step[] {
    const { places, record, release, releases } = this.#facts;
    const kept = [release.id, record?.release];
    const replaced = this.#replacements.map(({ old }) => old.unit);
    return [
      ...(replaced.length > 0 ? [this.#systemctl('reset-failed', ...replaced)] : []),
      ...releases
        .filter((id) => !kept.includes(id))
        .map((id) => ({ kind: 'remove-tree', path: releasePath(places, id) }) as const),
    ];
  }

  #before(changed: readonly (readonly [string, WantedFile])[], disabled: readonly string[], isNew: boolean): Before {
    const { files, links, places, release } = this.#facts;
    const paths = [...changed.map(([path]) => path), ...this.#goneFiles(), ...this.#handOver.map(([path]) => path)];
    const { record } = this.#facts;
    return {
      files: Object.fromEntries(paths.map((path) => [path, files.get(path) ?? null])),
      links: Object.fromEntries(this.#links().map(({ path }) => [path, links.get(path) ?? null])),
      added_release: isNew ? releasePath(places, release.id) : null,
      running: stateOf(this.#facts, SERVICE).active,
      enabled: [...disabled],
      disabled: [...this.#goneUnits],
      sockets: this.#socketNames.filter((name) => !stateOf(this.#facts, name).active),
      old_units: this.#replacements.map(({ old }) => ({
        unit: old.unit,
        active: old.active,
        enabled: old.enabled,
        ports: portsOf(old),
      })),
      // Without its own `before`, or the record would grow with each run.
      record: record === undefined ? null : recordText({ ...record, before: null }),
      wrote_config: this.#facts.newConfig !== undefined,
      turned_lingering_on: this.#facts.lingering === false,
    };
  }

  #record(before: Before): InstallRecord {
    const { record, release, lingering, commandTaken, places } = this.#facts;
    const turnedOn = lingering === false || record?.lingering === 'turned on';
    return {
      schema: 1,
      release: release.id,
      files: [...this.#wanted.keys()],
      units: this.#units(),
      replaced: [...new Set([...(record?.replaced ?? []), ...this.#replacements.map(({ old }) => old.unit)])],
      lingering: lingering === undefined ? null : turnedOn ? 'turned on' : 'was on',
      command: commandTaken ? null : places.command,
      before,
    };
  }

  #stop(units: readonly string[]): Step[] {
    return units.length > 0 ? [this.#systemctl('stop', ...units)] : [];
  }

  #systemctl(...args: readonly string[]): Step {
    const [program = '', ...rest] = this.#facts.places.systemctl;
    return command(program, ...rest, ...args);
  }
}
