import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Turns } from '../../../../src/base/async/turns.ts';
import { TunnelError } from '../../../../src/base/errors.ts';
import { answered, type WriteOptions } from '../../../../src/base/files/state-file.ts';
import type { SuccessorConfig } from '../../../../src/config/config.ts';
import { Cutover, type CutoverTask } from '../../../../src/retirement/cutover/cutover.ts';
import type { CutoverRecord } from '../../../../src/retirement/cutover/store.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import type { CutoverPhase } from '../../../../src/telemetry/status/status.ts';
import { patient } from '../../../support/patience.ts';
import { type LoopbackServer, listenLoopback } from '../../../support/peers/loopback.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

/** A disk in memory; what is done at each write is the test's to say. */
class Disk {
  kept: string | undefined;
  /** Called before each write; what it rejects with, the write does; while it is pending, the write is. */
  before: (phase: CutoverPhase) => Promise<void> = async () => {};
  /** Called once the write is on the disk. */
  after: (phase: CutoverPhase) => Promise<void> = async () => {};

  async read(): Promise<CutoverRecord | undefined> {
    return this.kept === undefined ? undefined : (JSON.parse(this.kept) as CutoverRecord);
  }

  async write(record: CutoverRecord): Promise<void> {
    await this.before(record.phase);
    this.kept = JSON.stringify(record);
    await this.after(record.phase);
  }

  /** What one process has of it: its writes take turns, and wait as those of a state file do. */
  store() {
    const turns = new Turns();
    return {
      read: () => this.read(),
      write: (record: CutoverRecord, options?: WriteOptions) =>
        answered(() => turns.take(() => this.write(record)), options),
      forget: async () => {
        this.kept = undefined;
      },
    };
  }
}

const FULL = new TunnelError('state_dir_unusable', 'no space left');
const never = () => new Promise<void>(() => {});
let server: LoopbackServer;
let successor: SuccessorConfig;
let disk: Disk;
let told: string[];
let events: string[];

beforeEach(async () => {
  [disk, told, events] = [new Disk(), [], []];
  server = await listenLoopback((socket) => socket.end());
  successor = {
    target: { kind: 'tcp', host: '127.0.0.1', port: server.port },
    probe: { check: { kind: 'tcp' }, everyMs: 20, timeoutMs: 500, fall: 2, rise: 1 },
    healthyForMs: 1_000,
    compare: [],
    holdMs: 200,
    verifyForMs: 50,
  };
});
afterEach(() => server.stop());

const log = createLogger({ level: 'fatal' });
const create = () =>
  new Cutover('hub', {
    store: disk.store(),
    log,
    patienceMs: 200,
    note: ({ event, to }) => void events.push(`${event} ${String(to)}`),
  });
const task = (): CutoverTask => ({ successor, maxConnections: 1_024, preflight: async () => [] });
const tell = (line: string) => void told.push(line);
const restarted = async () => {
  const again = create();
  await again.restore(successor);
  return again;
};

describe('a cut-over', () => {
  test('passes through its phases, each on the disk and in the evidence', async () => {
    const written: CutoverPhase[] = [];
    disk.after = async (phase) => void written.push(phase);
    const cutover = create();
    expect(await cutover.start(task(), tell)).toMatchObject({ outcome: 'committed' });
    expect(written).toEqual(['preflight', 'holding', 'switching', 'verifying', 'committed']);
    expect(told).toEqual(written);
    expect(events).toEqual(written.map((phase) => `cutover.phase ${phase}`));
    expect([cutover.route, (await restarted()).route]).toEqual(['successor', 'successor']);
  });

  const PHASES = ['preflight', 'holding', 'switching', 'verifying', 'committed'] as const;
  test.each(PHASES.flatMap((phase) => [[phase, 'before'] as const, [phase, 'after'] as const]))(
    'that a crash meets when %s is written, %s that is done, goes on on the safe side',
    async (phase, moment) => {
      const reached = new Promise<void>((resolve) => {
        disk[moment] = async (written) => {
          if (written !== phase) return;
          resolve();
          await never();
        };
      });
      // Of a process that is gone; this one is told in time.
      create()
        .start(task(), tell)
        .catch(() => {});
      await reached;
      [disk.before, disk.after] = [async () => {}, async () => {}];
      const again = await restarted();
      const committed = phase === 'committed' && moment === 'after';
      expect(again.route).toBe(committed ? 'successor' : 'tunnel');
      expect(again.position.phase).toMatch(committed ? /^committed$/ : /^(idle|rolled_back)$/);
      expect(again.junction.holding).toBe(false);
      expect(await again.start(task(), tell).catch(() => again.position.phase)).toBeTruthy();
    },
  );

  test.each(['preflight', 'holding', 'switching', 'verifying', 'committed'] as const)(
    'whose disk refuses %s leaves its clients on the tunnel',
    async (phase) => {
      disk.before = async (written) => {
        if (written === phase) throw FULL;
      };
      const cutover = create();
      const outcome = await cutover.start(task(), tell).catch((error: TunnelError) => error.code);
      expect(outcome).toEqual(
        phase === 'preflight' ? 'state_dir_unusable' : expect.objectContaining({ reason: FULL.message }),
      );
      expect([cutover.route, cutover.junction.holding]).toEqual(['tunnel', false]);
      expect((await restarted()).route).toBe('tunnel');
    },
  );

  test.each(PHASES)('whose disk hangs over %s ends, and leaves its clients on the tunnel', async (phase) => {
    disk.before = (written) => (written === phase ? never() : Promise.resolve());
    const cutover = create();
    const end = cutover.start(task(), tell).catch((error: TunnelError) => error);
    const outcome = await within('the cut-over ends', end, 4_000);
    const words = expect.stringMatching(/did not answer within 200 ms|not done within hold/);
    expect(outcome).toMatchObject(
      phase === 'preflight' ? { code: 'state_dir_unusable', message: words } : { reason: words },
    );
    expect([cutover.route, cutover.junction.holding]).toEqual(['tunnel', false]);
  });

  test('whose disk hangs holds nobody longer than hold', async () => {
    disk.before = (phase) => (phase === 'switching' ? never() : Promise.resolve());
    const cutover = create();
    const done = cutover.start(task(), tell);
    await waitUntil('clients are held', async () => cutover.junction.holding || undefined);
    const since = performance.now();
    await cutover.junction.whenReleased(new AbortController().signal);
    expect(performance.now() - since).toBeLessThan(patient(400));
    expect(cutover.route).toBe('tunnel');
    expect(await done).toMatchObject({ outcome: 'rolled_back', reason: expect.stringContaining('within') });
  });

  test('waits for those that are running, but not for long, and does not mind them then', async () => {
    const cutover = create();
    const leave = cutover.junction.enter();
    expect(await cutover.start(task(), tell)).toMatchObject({ outcome: 'committed' });
    expect(told).toContain('1 running connection goes on through the tunnel until it ends');
    leave();
    expect(cutover.junction.through).toBe(0);
  });

  test('goes on at once when enough are waiting', async () => {
    successor = { ...successor, holdMs: 60_000 };
    const cutover = create();
    const leave = cutover.junction.enter();
    const done = cutover.start({ ...task(), maxConnections: 5 }, tell);
    await waitUntil('clients are held', async () => cutover.junction.holding || undefined);
    await Promise.all([1, 2].map(() => cutover.junction.whenReleased(new AbortController().signal)));
    expect(await done).toMatchObject({ outcome: 'committed' });
    leave();
  });

  test('is rolled back by itself when the successor fails as often as it may not', async () => {
    successor = { ...successor, verifyForMs: 10_000 };
    const cutover = create();
    const done = cutover.start(task(), tell);
    await waitUntil('it is verified', async () => cutover.position.phase === 'verifying' || undefined);
    expect(cutover.route).toBe('successor');
    await server.stop();
    expect(await done).toMatchObject({ outcome: 'rolled_back', reason: expect.stringContaining('2 times in a row') });
    expect([cutover.route, (await restarted()).route]).toEqual(['tunnel', 'tunnel']);
  });

  test.each([
    ['while it is under way', { verifyForMs: 10_000 }],
    ['after its commit', { verifyForMs: 50 }],
  ])('is rolled back when somebody wants it %s', async (_, changes) => {
    successor = { ...successor, ...changes };
    const cutover = create();
    const done = cutover.start(task(), tell);
    const wanted = changes.verifyForMs > 1_000 ? 'verifying' : 'committed';
    await waitUntil('it is so far', async () => cutover.position.phase === wanted || undefined);
    expect(await cutover.rollback('somebody wants it', tell)).toMatchObject({ outcome: 'rolled_back' });
    expect(cutover).toMatchObject({ route: 'tunnel', position: { phase: 'rolled_back', reason: 'somebody wants it' } });
    await done;
    expect((await restarted()).route).toBe('tunnel');
  });

  test('that was committed goes back once the disk knows, so that a crash meanwhile changes nothing twice', async () => {
    const cutover = create();
    await cutover.start(task(), tell);
    const routes: string[] = [];
    disk.before = async () => void routes.push(cutover.route);
    await cutover.rollback('somebody wants it', tell);
    expect([...routes, cutover.route]).toEqual(['successor', 'tunnel', 'tunnel']);
  });

  test('is rolled back also when the disk refuses, which is told', async () => {
    const cutover = create();
    await cutover.start(task(), tell);
    disk.before = async () => {
      throw FULL;
    };
    expect(await cutover.rollback('somebody wants it', tell)).toMatchObject({ outcome: 'rolled_back' });
    expect(cutover.route).toBe('tunnel');
    expect(told).toContain(`could not be kept on the disk: ${FULL.message}`);
  });

  test('that was committed to another successor than is configured now is rolled back at the start', async () => {
    await create().start(task(), tell);
    successor = { ...successor, target: { kind: 'tcp', host: '127.0.0.1', port: 1 } };
    const again = await restarted();
    expect(again).toMatchObject({ route: 'tunnel', position: { phase: 'rolled_back' } });
    expect(again.position.reason).toContain('is not in the configuration');
  });

  test('of a tunnel that is retired by now stays with its successor, until another one is checked', async () => {
    await create().start(task(), tell);
    const { target } = successor;
    successor = { ...successor, target: { kind: 'tcp', host: '127.0.0.1', port: 1 } };
    const again = create();
    await again.restore(successor, true);
    expect([again.position.phase, again.junction.detour?.target]).toEqual(['committed', target]);
    await again.adopt(async () => undefined);
    expect(again.junction.detour?.target).toEqual(successor.target);
  });

  test('whose record cannot be read leaves its clients on the tunnel, and says so', async () => {
    disk.read = () => Promise.reject(new TunnelError('state_dir_unusable', 'it is no JSON'));
    const again = await restarted();
    expect([again.route, again.status()?.reason]).toEqual(['tunnel', expect.stringContaining('it is no JSON')]);
    expect(events).toEqual(['cutover.unreadable undefined']);
  });
});
