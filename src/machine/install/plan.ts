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
  /** How long the tunnels may take to be up, in milliseconds. */
  readonly timeoutMs: number;
  /** Asks only the tunnels that take over from an old unit. */
  readonly skipDoctor: boolean;
}

/** What is to be done, in this order. The files concern nothing that runs: a doctor who finds something wrong ends it there. */
export interface InstallPlan {
  readonly files: readonly Step[];
  readonly doctor: readonly Step[];
  readonly switch: readonly Step[];
  /** What does not matter if it fails. */
  readonly tidy: readonly Step[];
  readonly before: Before;
  /** For whoever reads: one line each. */
  readonly notes: readonly string[];
}

export const CURRENT = 'current';
const WAIT_GRACE_MS = 20_000;

/** Makes of the facts what leads to an installation of the release, or the reasons why there cannot be one. Pure. */
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
  /** Drop-ins, path and text, that exist only during the switch. */
  readonly #handOver: readonly [string, string][];
  /** Of an earlier configuration. */
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
    this.#wanted = wantedFiles(facts.places, facts.release, sockets, facts.traits);
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
    if (nothing) return { files: [], doctor: [], switch: [], tidy: [], before, notes: [] };

    const files: Step[] = [
      ...(lingers ? [command('loginctl', 'enable-linger', this.#facts.user)] : []),
      write(places.record, recordText(this.#record(before)), 'the record'),
      ...(isNew ? [{ kind: 'copy-tree', from: release.tree, to: releasePath(places, release.id) } as const] : []),
      ...changed.map(([path, { text, shipped }]) => write(path, text, shipped)),
      ...this.#accounts(changed),
      ...(this.#facts.newConfig === undefined ? [] : [write(places.config, this.#facts.newConfig, 'as given')]),
    ];
    const notes = [
      ...without.map(
        (what) => `${what} gets no socket unit, since systemd resolves no names: the daemon binds it itself`,
      ),
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
        notes: [
          ...notes,
          `there is no ${places.config} yet, so nothing is started: write it (${join(places.configDirectory, 'example-tunnels.yaml')} shows how)${places.keys === undefined ? '' : `, put private keys into ${places.keys} (mode 0600; FILE is \`key: credential:key_FILE\` in the YAML)`}, then run this again`,
        ],
      };
    }
    return {
      files,
      doctor: doctorSteps(this.#facts, config, this.#options.skipDoctor, this.#replacements),
      switch: this.#switch(config, links, disabled, changed),
      tidy: this.#tidy(),
      before,
      notes,
    };
  }

  #units(): string[] {
    return this.#facts.config === undefined ? [] : [...this.#socketNames, SERVICE];
  }

  #changedFiles(): [string, WantedFile][] {
    return [...this.#wanted].filter(([path, { text }]) => this.#facts.files.get(path) !== text);
  }

  /** Files that an earlier run has made, and that are not wanted any more. */
  #goneFiles(): string[] {
    const before = this.#facts.record?.files ?? [];
    return before.filter((path) => !this.#wanted.has(path) && this.#facts.files.has(path));
  }

  #links() {
    const { commandTaken } = this.#facts;
    const { library, command } = this.#facts.places;
    return [
      { kind: 'link', path: join(library, CURRENT), to: join('releases', this.#facts.release.id) },
      // What the units run.
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
      // A socket that the daemon's start had no reason to bring about, or could not.
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

  /** Tunnels that have to be up afterwards: those whose way the doctor has seen. A host may forbid the proof of a remote one. */
  #watched({ tunnels }: Config): string[] {
    if (this.#options.skipDoctor) return this.#replacements.flatMap((each) => each.tunnels);
    return [...tunnels.values()].filter(({ direction }) => direction !== 'remote').map(({ name }) => name);
  }

  /** Of releases the current one and the one before are kept. */
  #tidy(): Step[] {
    const { places, record, release, releases } = this.#facts;
    const kept = [release.id, record?.release];
    return releases
      .filter((id) => !kept.includes(id))
      .map((id) => ({ kind: 'remove-tree', path: releasePath(places, id) }) as const);
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
      // Not what was before that, or it would grow for ever.
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
