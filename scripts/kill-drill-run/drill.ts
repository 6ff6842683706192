import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CURRENT, logFiles } from '../../src/retirement/evidence/files.ts';
import { verifyLog } from '../../src/retirement/evidence/verify.ts';
import { loadPlan } from '../../src/retirement/plan/load.ts';
import type { Daemon } from '../../tests/support/daemon/daemon.ts';
import { findTunnel } from '../../tests/support/daemon/mesh.ts';
import { listenersOn } from '../../tests/support/machine/port-owner.ts';
import { patient } from '../../tests/support/patience.ts';
import { waitUntil } from '../../tests/support/wait-until.ts';
import { type Command, Confirmed } from './confirmed.ts';
import { Observer } from './observer.ts';
import { Operator } from './operator.ts';
import { padLog, tearLog } from './padding.ts';
import { HUB, QUIET_MS, type Stage } from './stage.ts';

/** One kill, and what was found after it. */
export interface Round {
  /** Milliseconds from the start of the daemon to its end. */
  readonly afterMs: number;
  /** The command that the kill interrupted. */
  readonly during: Command | undefined;
  /** Whether the last line of the log was cut by the kill. */
  readonly torn: boolean;
  /** What must not be, in words. */
  readonly wrong: readonly string[];
}

/** A life without the chosen command ends after this time, in milliseconds. */
const LONGEST_MS = 9_000;
/** Of eight lives, one ends during the start. In milliseconds. */
const START_MS = 1_500;
const START_SHARE = 0.125;
/** What a kill interrupts, and how long after its begin the kill may come, in milliseconds: as long as the command takes. */
const TARGETS: readonly (readonly [Command, number])[] = [
  ['cutover', 2_000],
  ['retire', 40],
  ['retire', 40],
  ['rollback', 40],
  ['up', 40],
  ['down', 600],
  ['reload', 60],
  ['plan approve', 20],
  ['plan done', 20],
];
/** A kill rarely tears a line, a power cut does: then the drill tears one. Share of the kills. */
const TORN_SHARE = 0.15;
/** How often the log is brought near its rotation: each file of 16 MB is read again at every start. */
const MOST_ROTATIONS = 6;

/** Kills one daemon after the other in the middle of its work, and looks at what the next one finds. */
export class Drill {
  readonly #stage: Stage;
  readonly #random: () => number;
  readonly #confirmed = new Confirmed();
  readonly #operator: Operator;
  readonly observer: Observer;
  #rotations = 0;
  /** Whether a kill has torn the last line, and no daemon has reported it yet. */
  #torn = false;

  constructor(stage: Stage, random: () => number) {
    this.#stage = stage;
    this.#random = random;
    this.#operator = new Operator(stage, this.#confirmed, { random, isRetirable: () => this.observer.isRetirable });
    this.observer = new Observer(stage);
  }

  /** Commands with an answer, by name. */
  get answered(): ReadonlyMap<Command, number> {
    return this.#operator.answered;
  }

  get rotations(): number {
    return this.#rotations;
  }

  /** One life of a daemon: a look at what it has found, its work, and its end. */
  async round(): Promise<Round> {
    const daemon = this.#stage.startDaemon();
    const startedAt = performance.now();
    const wrong: string[] = [];
    let during: Command | undefined;
    if (this.#random() < START_SHARE) await pause(this.#random() * START_MS);
    else {
      wrong.push(...(await this.#inspect(daemon)));
      during = await this.#live(daemon, startedAt);
    }
    daemon.signal('SIGKILL');
    await daemon.exit;
    const torn = this.#isTorn() || (this.#random() < TORN_SHARE && tearLog(this.#stage.stateDir));
    this.#torn ||= torn;
    wrong.push(...this.observer.wrong.splice(0), ...(await this.#broken()));
    wrong.push(...(await this.#leftBehind()), ...(await this.#lostOfPlan()));
    this.#pad(torn);
    return { afterMs: performance.now() - startedAt, during, torn, wrong };
  }

  /** The last look: this daemon ends as daemons should. */
  async end(): Promise<readonly string[]> {
    await using daemon = this.#stage.startDaemon();
    const wrong = await this.#inspect(daemon);
    await daemon.stop();
    return [...wrong, ...(await this.#broken()), ...(await this.#leftBehind())];
  }

  /** Operator and clients at work, until the chosen command has begun a moment ago. Returns the command without an answer. */
  async #live(daemon: Daemon, startedAt: number): Promise<Command | undefined> {
    const stop = new AbortController();
    const [target, withinMs] = TARGETS[Math.floor(this.#random() * TARGETS.length)] ?? ['cutover', 0];
    const afterMs = this.#random() * withinMs;
    const chosen = new Promise<void>((resolve) => {
      this.#operator.onBegin = (command) => {
        if (command === target && (command !== 'retire' || this.observer.isRetirable)) resolve();
      };
    });
    const working = Promise.all([
      this.#operator.work(stop.signal),
      this.observer.watch(daemon, startedAt, stop.signal),
    ]);
    await Promise.race([chosen.then(() => pause(afterMs)), pause(LONGEST_MS)]);
    const during = this.#operator.current;
    daemon.signal('SIGKILL');
    await daemon.exit;
    stop.abort();
    await working;
    return during;
  }

  /** Looks at a daemon that has just started. */
  async #inspect(daemon: Daemon): Promise<string[]> {
    const { evidence, tunnels, now, started_at } = await daemon.waitFor((status) => status.evidence.state === 'ok');
    const wrong: string[] = [];
    const { retired, route } = this.#confirmed;
    const hub = tunnels.find(({ name }) => name === HUB);
    const is = { retired: hub?.state === 'retired', route: hub?.route };
    if (retired !== undefined && retired !== is.retired)
      wrong.push(`retired: ${retired} was confirmed, now ${is.retired}`);
    if (route !== undefined && route !== is.route) wrong.push(`route ${route} was confirmed, now ${is.route}`);
    if (is.retired && is.route !== 'successor') wrong.push('retired, with the route on the tunnel');
    // On a busy machine the first answer may come late.
    const runsForMs = now.getTime() - started_at.getTime();
    if (hub?.retirement?.verdict === 'retirable' && runsForMs < QUIET_MS)
      wrong.push(`retirable ${runsForMs} ms after the start`);
    this.#confirmed.retired = is.retired;
    this.#confirmed.route = is.route;
    wrong.push(...(await this.#owners(daemon)), ...(await this.#answers(daemon, is.route)));
    if (evidence.head === null) wrong.push('the evidence has no head');
    if (this.#torn && !(await this.#isRepaired())) wrong.push('a torn line was not reported');
    this.#torn = false;
    return wrong;
  }

  /** Brings the log near its rotation, with room for a few entries: a later life rotates it at some moment of its work. */
  #pad(torn: boolean): void {
    if (torn || this.#rotations >= MOST_ROTATIONS || this.#random() >= 0.1) return;
    if (padLog(this.#stage.stateDir, Math.floor(this.#random() * 8_000))) this.#rotations++;
  }

  async #broken(): Promise<string[]> {
    const { problems } = await verifyLog(this.#stage.stateDir);
    return problems.map(({ file, line, message }) => `${file}:${line} ${message}`);
  }

  /** Whether whoever asks on the port comes to where the route says. */
  async #answers(daemon: Daemon, route: 'tunnel' | 'successor' | undefined): Promise<string[]> {
    const wanted = route === 'successor' ? 'new' : 'old';
    if (wanted === 'old') await daemon.waitFor((status) => findTunnel(status, HUB)?.state === 'up');
    const answered = await this.observer.ask(patient(5_000));
    return answered === wanted ? [] : [`the route is ${route}, but the answer comes from ${answered ?? 'nobody'}`];
  }

  async #owners({ pid }: Daemon): Promise<string[]> {
    const everybody = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const find = () => listenersOn(this.#stage.port, everybody.map(Number));
    // A busy machine opens the port some time after its first status.
    await waitUntil('the port has an owner', () => find().length > 0).catch(() => {});
    const owners = find();
    return owners.length === 1 && owners[0] === pid ? [] : [`the port has the owners ${owners.join(', ') || 'none'}`];
  }

  /** Whether the log of this run tells of a repair. The log itself is asked: a machine that is busy may not answer in time. */
  #isRepaired(): Promise<boolean> {
    const found = async () => {
      let repaired = false;
      await verifyLog(this.#stage.stateDir, () => ({
        entry: ({ event }) => {
          repaired = event === 'log.repaired' || (repaired && event !== 'daemon.started');
        },
      }));
      return repaired;
    };
    return waitUntil('the repair is in the log', found).then(
      () => true,
      () => false,
    );
  }

  async #leftBehind(): Promise<string[]> {
    const { mark } = this.#stage;
    return waitUntil('no child is left', () => mark.living().length === 0).then(
      () => [],
      () => [`left behind: ${mark.living().join(', ')}`],
    );
  }

  async #lostOfPlan(): Promise<string[]> {
    const { gates, waves } = await loadPlan(this.#stage.planFile);
    const done = [
      ...gates.filter(({ approved }) => approved),
      ...waves.flatMap(({ steps }) => steps.filter((step) => step.done)),
    ];
    const ids = done.map(({ id }) => id);
    return this.#confirmed.recorded.filter((id) => !ids.includes(id)).map((id) => `${id} was recorded and is lost`);
  }

  #isTorn(): boolean {
    try {
      const bytes = readFileSync(join(this.#stage.stateDir, CURRENT));
      return bytes.length > 0 && bytes.at(-1) !== 0x0a;
    } catch {
      return false;
    }
  }

  /** The files of the log, for the report. */
  async files(): Promise<number> {
    return (await logFiles(this.#stage.stateDir)).length;
  }
}
