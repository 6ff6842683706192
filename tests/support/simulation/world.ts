import { formatAddress } from '../../../src/base/net/address.ts';
import { printable } from '../../../src/base/text/printable.ts';
import { answer } from '../../../src/operator/control/answer.ts';
import { DirectoryTaken } from '../../../src/retirement/evidence/lock.ts';
import { SimClock } from './clock.ts';
import { type DiskFault, DiskMount, SimDisk } from './disk.ts';
import { configOf, HUB, hubIn, nodeIn, type PlanState, planIn, SUCCESSORS, VARIANTS, type Variant } from './fleet.ts';
import type { Promised } from './invariants.ts';
import { SimNetwork } from './network.ts';
import { SimNode } from './node.ts';
import type { Bug } from './planted.ts';
import { installPlatform } from './platform.ts';
import { type Deed, describeStep, type Restart, type Step } from './steps.ts';
import { Switch } from './switch.ts';
import { STATE, type Tampering, tamper } from './tamper.ts';
import { type Happened, truthAgainst } from './truth.ts';

export interface WorldOptions {
  readonly random: () => number;
  /** Default: none. */
  readonly bug?: Bug | undefined;
}

/** The answer of the control socket to a command. */
interface Reply {
  readonly ok: boolean;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A command that was sent, and its answer once there is one. */
export interface Sent {
  readonly what: string;
  readonly order: number;
  readonly reply: Promise<Reply>;
}

/** The name of a look, which is not worth a line of the trace. */
export const DRY_RUN = 'retire --dry-run';

/** A look at a disk that hangs has its bound, in milliseconds. */
const LONGEST_ANSWER_MS = 5_000;

const FROZEN_TOO_LONG_MS = 180_000;

/** A machine that was suspended has its link again after this time, in milliseconds. */
const RELINKED_MS = 1_500;

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
  /** What a command threw that is no answer. */
  readonly bugs: unknown[] = [];
  /** Commands without an answer yet. */
  readonly pending = new Set<Sent>();
  /** The variant of the configuration file, which the daemon may not have read yet. */
  file: Variant = 'first';
  node: SimNode;
  #mount: DiskMount;
  /** Of a second daemon on the same directory. */
  #secondMount: DiskMount | undefined;
  #backup: ReadonlyMap<string, Buffer> | undefined;
  #tamperedAt = Number.NEGATIVE_INFINITY;
  /** Whether the log was tampered with so that a look at the whole log must, or may, tell. */
  tampered: 'not' | 'perhaps' | 'provable' = 'not';
  /** When a state file was last removed by somebody else. True time, in milliseconds. */
  lostAt = Number.NEGATIVE_INFINITY;
  /** Whether the hub was retired at some moment. */
  wasRetired = false;
  /** What the daemon did, and must not have done. */
  readonly misdeeds: { readonly promise: Promised; readonly details: string }[] = [];
  #boots = 0;
  #bornAt = 0;
  #thawedAt = 0;
  #sent = 0;
  #same = { identity: '', since: 0 };
  #lookedAt = 0;
  /** What a command confirmed, and nothing has put in question since. */
  readonly confirmed: { retired?: boolean | undefined; route?: 'tunnel' | 'successor' | undefined } = {};

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
      thawedAt: this.#thawedAt,
      variant,
      sameSince: this.#same.since,
      tamperedAt: this.#tamperedAt,
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

  async play(step: Step): Promise<void> {
    this.say(describeStep(step));
    // Notices a changed tunnel before time is lost.
    this.happened();
    await this.#do(step);
  }

  /** Sends a command to the control socket, without waiting for its answer. */
  send(what: string, request: Record<string, unknown>): Sent {
    const { node } = this;
    const order = this.#sent++;
    const bugs: unknown[] = [];
    const reply = answer(JSON.stringify(request), node.actions, (error) => bugs.push(error)).then((got) => {
      if (bugs.length > 0) throw new Error(`the daemon has a bug: ${String(bugs[0])}`, { cause: bugs[0] });
      return got as Reply;
    });
    const sent: Sent = { what, order, reply };
    const alone = this.pending.size === 0;
    for (const field of ['retired', 'route'] as const) if (changes(what, field)) this.confirmed[field] = undefined;
    this.pending.add(sent);
    void reply.then(
      (got) => {
        if (!this.pending.delete(sent) || this.node !== node) return;
        if (what === DRY_RUN) return;
        const text = got.ok ? JSON.stringify(got.result) : `${got.error?.code}: ${got.error?.message}`;
        this.say(`  ${what} answers ${printable(text, 160)}`);
        if (alone && this.#sent === order + 1) this.#confirm(what, got);
      },
      (error: unknown) => {
        this.pending.delete(sent);
        if (this.node === node) this.bugs.push(error);
      },
    );
    return sent;
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

  /** Ends the daemon and starts the next one. */
  async restart(how: Restart, downMs: number, meanwhile?: Tampering): Promise<void> {
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
      this.confirmed.retired = this.confirmed.route = undefined;
      if (this.tampered !== 'not') this.tampered = 'perhaps';
    }
    if (how === 'power cut') disk.powerCut(this.#options.random);
    if (how === 'power cut' || how === 'lost syncs') {
      clock.boot();
      this.#boots++;
    }
    await clock.run(downMs);
    if (meanwhile) this.#tamper(meanwhile);
    this.#mount = this.#newMount();
    this.node = this.#newNode();
    const faulty = disk.fault !== undefined;
    await this.#begin();
    // What cannot be read may look otherwise; an advisory says so.
    if (faulty) this.confirmed.retired = this.confirmed.route = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    this.#uninstall();
  }

  /** Ends the daemon, as kill -9 does. */
  async #end(): Promise<void> {
    this.pending.clear();
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
  async #startSecond(): Promise<void> {
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

  #tamper(how: Tampering): void {
    const { random, bug } = this.#options;
    if (bug?.ignoresTampering) {
      // As long as this daemon runs, the files look to it as it left them.
      this.#tamperedAt = this.clock.now;
      return;
    }
    const found = tamper(this.disk, how, { backup: this.#backup, random });
    if (found === undefined) return;
    this.tampered = found;
    // What happens before the daemon has read the log is as before its start.
    if (this.node.recorder.head) this.#tamperedAt = this.clock.now;
    if (how !== 'restore') return;
    this.confirmed.retired = this.confirmed.route = undefined;
    this.lostAt = this.clock.now;
  }

  async #begin(): Promise<void> {
    this.#bornAt = this.clock.now;
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

  #confirm(what: string, { ok, result }: Reply): void {
    if (!ok || this.disk.fault !== undefined) return;
    const { outcome, done } = (result ?? {}) as { outcome?: string; done?: boolean };
    if (what === 'retire' && done) this.confirmed.retired = true;
    if (what === 'up') this.confirmed.retired = false;
    if (what === 'cutover' && outcome === 'committed') this.confirmed.route = 'successor';
    if (what === 'rollback' && outcome === 'rolled_back') this.confirmed.route = 'tunnel';
  }

  async #do(deed: Deed): Promise<void> {
    const { clock, network, disk } = this;
    switch (deed.do) {
      case 'client': {
        const address = hubIn(this.variant)?.listen;
        const client = address === undefined ? undefined : network.connect(address);
        if (!client) return this.say('  refused');
        if (deed.talks) client.send('hello');
        if (deed.talks) clock.after(deed.staysMs / 2, () => client.send('again'));
        clock.after(deed.staysMs, () => client.leave());
        return;
      }
      case 'link':
        if (deed.up) network.link.set(true);
        else network.cutLink();
        this.node.linkChanged();
        return;
      case 'health':
        network.setHealth(SUCCESSORS[deed.of], deed.health);
        return;
      case 'retire':
        this.send('retire', RETIRE);
        return;
      case 'rollback':
      case 'cutover':
        this.send(deed.do, deed.do === 'cutover' ? CUTOVER : { command: deed.do, name: HUB });
        return;
      case 'up':
      case 'down':
        this.send(deed.do, { command: deed.do, names: [HUB] });
        return;
      case 'rotate':
        this.send('rotate', { command: 'rotate', actor: 'agt-key' });
        return;
      case 'reload':
        this.file = deed.variant;
        this.send('reload', { command: 'reload' });
        return;
      case 'plan': {
        this.plan[deed.part] = deed.to;
        const { approved, done, valid } = this.plan;
        this.planned.set(approved && done && valid);
        return;
      }
      case 'restart':
        return this.restart(deed.how, deed.downMs, deed.meanwhile);
      case 'freeze':
        await clock.freeze(deed.ms);
        if (deed.ms > FROZEN_TOO_LONG_MS) this.#thawedAt = clock.now;
        return;
      case 'clock':
        clock.wallOffMs += deed.ms;
        return;
      case 'suspend':
        // The clock that never jumps stands still meanwhile, and so do the clients of this machine.
        clock.wallOffMs += deed.ms;
        network.cutLink();
        this.node.linkChanged();
        clock.after(RELINKED_MS, () => {
          network.link.set(true);
          this.node.linkChanged();
        });
        return;
      case 'tamper':
        return this.#tamper(deed.how);
      case 'backup':
        this.#backup = disk.copy();
        return;
      case 'lose':
        disk.replace(`${STATE}/${deed.file}`, undefined);
        this.lostAt = clock.now;
        this.confirmed.retired = this.confirmed.route = undefined;
        if (deed.file === 'events.head' && this.tampered === 'provable') this.tampered = 'perhaps';
        return;
      case 'second daemon':
        return this.#startSecond();
      case 'disk':
        if (deed.fault === 'none') disk.heal();
        else disk.break(deed.fault satisfies DiskFault);
        return;
    }
  }
}

/** The requests of `fleet-mesh retire` and `fleet-mesh cutover`. */
export const RETIRE = { command: 'retire', name: HUB, dry_run: false, overrides: [] };
export const CUTOVER = { command: 'cutover', name: HUB, dry_run: false };

/** Whether the command may change what an earlier one has confirmed. */
function changes(what: string, field: 'retired' | 'route'): boolean {
  const of = { retired: ['retire', 'up', 'reload'], route: ['cutover', 'rollback', 'up', 'down', 'reload'] };
  return of[field].includes(what);
}
