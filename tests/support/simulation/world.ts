import { formatAddress } from '../../../src/base/net/address.ts';
import { DirectoryTaken } from '../../../src/retirement/evidence/lock.ts';
import { SimClock } from './clock.ts';
import { SimDisk } from './disk.ts';
import { configOf, HUB, hubIn, nodeIn, type PlanState, planIn, VARIANTS, type Variant } from './fleet.ts';
import { Intruder } from './intruder.ts';
import { DiskMount } from './mount.ts';
import { SimNetwork } from './network.ts';
import { SimNode } from './node.ts';
import { SimOperator } from './operator.ts';
import type { Bug } from './planted.ts';
import { installPlatform } from './platform.ts';
import type { Promised } from './promises.ts';
import type { Restart } from './steps.ts';
import { Switch } from './switch.ts';
import { STATE } from './tamper.ts';
import { type Happened, truthAgainst } from './truth.ts';

export interface WorldOptions {
  readonly random: () => number;
  /** Default: none. */
  readonly bug?: Bug | undefined;
}

/** A look at a disk that hangs has its bound, in milliseconds. */
const LONGEST_ANSWER_MS = 5_000;

/** A second daemon that could not see the first is watched for this time, in milliseconds. */
const WATCHED_MS = 3_000;

/**
 * One machine with its disk, its services and its operator, on which daemons live and die. The clocks and timers of the process
 * are its own until it is disposed of.
 */
export class World implements AsyncDisposable {
  readonly #options: WorldOptions;
  readonly #uninstall: () => void;
  readonly clock = new SimClock();
  readonly disk = new SimDisk(this.clock);
  readonly network = new SimNetwork(this.clock);
  readonly plan: PlanState = { approved: true, done: true, valid: true };
  readonly planned = new Switch(this.clock, true);
  readonly trace: string[] = [];
  /** The variant of the configuration file, which the daemon may not have read yet. */
  file: Variant = 'first';
  node: SimNode;
  #mount: DiskMount;
  /** Of a second daemon on the same directory. */
  #secondMount: DiskMount | undefined;
  readonly operator: SimOperator;
  readonly intruder: Intruder;
  /** When the process last went on after it had stood still for longer than a gap. True time, in milliseconds. */
  thawedAt = 0;
  /** The same, however short it stood still. */
  goesOnSince = 0;
  /** Whether the hub was retired at some moment. */
  wasRetired = false;
  /** What the daemon did, and must not have done. */
  readonly misdeeds: { readonly promise: Promised; readonly details: string }[] = [];
  #boots = 0;
  #bornAt = 0;
  #same = { identity: '', since: 0 };
  #lookedAt = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.clock.trustsWallClock = options.bug?.trustsWallClock ?? false;
    this.#mount = this.#newMount();
    this.#uninstall = installPlatform({
      clock: this.clock,
      disk: () => this.#mount.calls,
      second: () => (this.#secondMount ?? this.#mount).calls,
      bootId: () => `boot ${this.#boots}`,
    });
    this.node = this.#newNode();
    const { clock, disk } = this;
    const node = () => this.node;
    this.operator = new SimOperator({ clock, disk, node, say: (line) => this.say(line) });
    const { random, bug } = options;
    const unnoticed = bug?.ignoresTampering ?? false;
    this.intruder = new Intruder({ clock, disk, node, random, unnoticed, operator: this.operator });
  }

  /** For the invariants: what the reference model may look at. */
  happened(): Happened {
    const variant = this.variant;
    const hub = hubIn(variant);
    const identity = hub ? `${nodeIn(variant)} ${hub.listen} ${hub.target} ${hub.host}` : '';
    // Nobody looks while the daemon stands still, so a change may be as old as the look before.
    if (identity !== this.#same.identity) this.#same = { identity, since: this.#lookedAt };
    this.#lookedAt = this.clock.now;
    const { detour } = this.node.cutovers.junctionOf(HUB);
    return {
      now: this.clock.now,
      bornAt: this.#bornAt,
      thawedAt: this.thawedAt,
      variant,
      sameSince: this.#same.since,
      tamperedAt: this.intruder.tamperedAt,
      network: this.network,
      disk: this.disk,
      planned: this.planned,
      route: detour ? formatAddress(detour.target) : 'the tunnel',
    };
  }

  /** The variant in force. */
  get variant(): Variant {
    return VARIANTS.find((variant) => configOf(variant) === this.node.config) ?? 'first';
  }

  say(line: string): void {
    this.trace.push(`${(this.clock.now / 1_000).toFixed(3).padStart(9)} s  ${line}`);
  }

  async start(): Promise<void> {
    await this.#begin();
  }

  /** Lets time pass until the promise settles; undefined if that takes longer than a few seconds. Rejects as it does. */
  async until<T>(promise: Promise<T>): Promise<T | undefined> {
    let over = false;
    const settled = promise.finally(() => {
      over = true;
    });
    settled.catch(() => {});
    await this.clock.settle();
    for (let waited = 0; !over && waited < LONGEST_ANSWER_MS; waited += 5) await this.clock.run(5);
    return over ? settled : undefined;
  }

  /** Ends the daemon and starts the next one. @param meanwhile what happens before the start */
  async restart(how: Restart, downMs: number, meanwhile: () => void = () => {}): Promise<void> {
    const { node, clock, disk } = this;
    if (how === 'clean') {
      let over = false;
      void node.stop().then(() => {
        over = true;
      });
      for (let waited = 0; !over; waited += 100) {
        if (waited > 45_000) throw new Error('the daemon does not stop within 45 s');
        await clock.run(100);
      }
    }
    await this.#end();
    if (how === 'lost syncs') {
      disk.powerCutWithLostSyncs(this.#options.random);
      this.operator.doubt();
      this.intruder.lostSyncs();
    }
    if (how === 'power cut') disk.powerCut(this.#options.random);
    if (how === 'power cut' || how === 'lost syncs') {
      clock.boot();
      this.#boots++;
    }
    await clock.run(downMs);
    meanwhile();
    this.#mount = this.#newMount();
    this.node = this.#newNode();
    const faulty = disk.fault !== undefined;
    await this.#begin();
    // What cannot be read may look otherwise; an advisory says so.
    if (faulty) this.operator.doubt();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    this.#uninstall();
  }

  /** Ends the daemon, as kill -9 does. */
  async #end(): Promise<void> {
    this.operator.pending.clear();
    this.intruder.endedAt = this.clock.now;
    this.#mount.kill();
    this.clock.endProcess();
    this.network.endProcess(this.node);
    await this.clock.settle();
    // What the end of its connections began.
    this.clock.endProcess();
  }

  #newMount(): DiskMount {
    const { random, bug } = this.#options;
    return new DiskMount(this.disk, random, !bug?.forgetsSync);
  }

  /** @param mount the disk as the process sees it, below a root of its own if it is a second one */
  #newNode(mount = this.#mount, stateDir = STATE): SimNode {
    const { random, bug = {} } = this.#options;
    const node = new SimNode({
      stateDir,
      lock: async (fd) => (bug.forgetsLock || mount.lock(fd) ? 'locked' : 'taken'),
      bug,
      network: this.network,
      configFile: () => configOf(this.file),
      planFile: () => planIn(this.plan),
      random,
      onEvent: ({ event, ...fields }) => {
        if (node !== this.node || event === 'tunnel.used') return;
        this.say(`    ${event} ${JSON.stringify(fields)}`);
        if (event === 'tunnel.retired') this.#mustBeRetirable();
      },
    });
    return node;
  }

  #mustBeRetirable(): void {
    this.wasRetired = true;
    const against = truthAgainst(this.happened());
    if (against !== undefined) this.misdeeds.push({ promise: 'never retired unless it is so', details: against });
  }

  /** Another daemon is started on the same directory while this one runs: refused, or at least without a change. */
  async startSecond(): Promise<void> {
    const mount = this.#newMount();
    this.#secondMount = mount;
    const second = this.#newNode(mount, '/second/state');
    let outcome: unknown = 'it does not answer';
    void second.start().then(
      () => {
        outcome = 'started';
      },
      (error: unknown) => {
        outcome = error;
      },
    );
    for (let waited = 0; outcome === 'it does not answer' && waited < 60_000; waited += 100) await this.clock.run(100);
    const refused = outcome instanceof DirectoryTaken;
    if (!refused) await this.clock.run(WATCHED_MS);
    this.say(`  the second daemon: ${refused ? 'refused' : String(outcome)}, ${mount.changes} changes`);
    // While the disk does not answer, nobody can know who has the directory.
    const excused = this.disk.fault !== undefined || this.clock.now - this.disk.healedAt < 30_000;
    if (mount.changes > 0 || !(refused || excused))
      this.misdeeds.push({ promise: 'a second daemon is refused and changes nothing', details: String(outcome) });
    mount.kill();
    this.network.end(second);
    this.#secondMount = undefined;
  }

  async #begin(): Promise<void> {
    this.#bornAt = this.clock.now;
    this.intruder.endedAt = undefined;
    let over = false;
    const start = this.node.start().finally(() => {
      over = true;
    });
    start.catch(() => {});
    for (let waited = 0; !over; waited += 100) {
      if (waited > 60_000) throw new Error('the daemon does not start within 60 s');
      await this.clock.run(100);
    }
    await start;
  }
}
