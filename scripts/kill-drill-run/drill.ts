import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CURRENT, logFiles } from '../../src/retirement/evidence/files.ts';
import { verifyLog } from '../../src/retirement/evidence/verify.ts';
import { loadPlan } from '../../src/retirement/plan/load.ts';
import type { Daemon } from '../../tests/support/daemon/daemon.ts';
import { findTunnel } from '../../tests/support/daemon/mesh.ts';
import { listenersOn } from '../../tests/support/machine/port-owner.ts';
import { waitUntil } from '../../tests/support/wait-until.ts';
import { type Command, Confirmed } from './confirmed.ts';
import { Observer } from './observer.ts';
import { Operator } from './operator.ts';
import { padLog } from './padding.ts';
import { HUB, type Stage } from './stage.ts';

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

/** Longest life of a daemon, in milliseconds: long enough for a cut-over and a retirement. */
const LONGEST_MS = 6_000;
/** Of eight lives, one ends during the start. */
const START_MS = 700;
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

  constructor(stage: Stage, random: () => number) {
    this.#stage = stage;
    this.#random = random;
    this.#operator = new Operator(stage, this.#confirmed, random);
    this.observer = new Observer(stage);
  }

  /** Commands with an answer, by name. */
  get answered(): ReadonlyMap<Command, number> {
    return this.#operator.answered;
  }

  get rotations(): number {
    return this.#rotations;
  }

  /** One life of a daemon, and the look at its successor. */
  async round(): Promise<Round> {
    const stop = new AbortController();
    const daemon = this.#stage.startDaemon();
    const lifeMs = this.#random() * (this.#random() < 0.125 ? START_MS : LONGEST_MS);
    const working = Promise.all([this.#operator.work(stop.signal), this.observer.watch(daemon, stop.signal)]);
    await pause(lifeMs);
    const during = this.#operator.current;
    daemon.signal('SIGKILL');
    await daemon.exit;
    stop.abort();
    await working;
    const torn = this.#isTorn();
    const wrong = [...(await this.#leftBehind()), ...(await this.#lostOfPlan())];
    if (!torn && this.#rotations < MOST_ROTATIONS && this.#random() < 0.1) {
      // Room for a few entries: the next life rotates the log at some moment of its work.
      if (padLog(this.#stage.stateDir, Math.floor(this.#random() * 4_000))) this.#rotations++;
    }
    wrong.push(...(await this.#inspect(torn)), ...this.observer.wrong.splice(0));
    return { afterMs: lifeMs, during, torn, wrong };
  }

  /** Starts a daemon only to look: it ends as daemons should. */
  async #inspect(torn: boolean): Promise<string[]> {
    await using daemon = this.#stage.startDaemon();
    const { evidence, tunnels } = await daemon.waitFor(
      (status) => status.evidence.state === 'ok' && status.links.length >= 0,
    );
    const wrong: string[] = [];
    const { retired, route } = this.#confirmed;
    const hub = tunnels.find(({ name }) => name === HUB);
    const is = { retired: hub?.state === 'retired', route: hub?.route };
    if (retired !== undefined && retired !== is.retired)
      wrong.push(`retired: ${retired} was confirmed, now ${is.retired}`);
    if (route !== undefined && route !== is.route) wrong.push(`route ${route} was confirmed, now ${is.route}`);
    if (is.retired && is.route !== 'successor') wrong.push('retired, with the route on the tunnel');
    if (hub?.retirement?.verdict === 'retirable') wrong.push('retirable right after the start');
    this.#confirmed.retired = is.retired;
    this.#confirmed.route = is.route;
    wrong.push(...(await this.#owners(daemon)), ...(await this.#answers(daemon, is.route)));
    if (evidence.head === null) wrong.push('the evidence has no head');
    if (torn && !(await this.#events(daemon)).includes('log.repaired')) wrong.push('a torn line was not reported');
    await daemon.stop();
    const { problems } = await verifyLog(this.#stage.stateDir);
    return [...wrong, ...problems.map(({ file, line, message }) => `${file}:${line} ${message}`)];
  }

  /** Whether whoever asks on the port comes to where the route says. */
  async #answers(daemon: Daemon, route: 'tunnel' | 'successor' | undefined): Promise<string[]> {
    const wanted = route === 'successor' ? 'new' : 'old';
    if (wanted === 'old') await daemon.waitFor((status) => findTunnel(status, HUB)?.state === 'up');
    const answered = await this.observer.ask();
    return answered === wanted ? [] : [`the route is ${route}, but the answer comes from ${answered ?? 'nobody'}`];
  }

  async #owners({ pid }: Daemon): Promise<string[]> {
    const everybody = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const owners = listenersOn(this.#stage.port, everybody.map(Number));
    return owners.length === 1 && owners[0] === pid ? [] : [`the port has the owners ${owners.join(', ') || 'none'}`];
  }

  async #events(daemon: Daemon): Promise<string[]> {
    const { events } = JSON.parse((await daemon.get('/events')).body) as { events: { event: string }[] };
    return events.slice(events.findLastIndex(({ event }) => event === 'daemon.started')).map(({ event }) => event);
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
