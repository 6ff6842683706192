import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { SuccessorConfig } from '../../../../src/config/config.ts';
import { Cutover, type CutoverTask } from '../../../../src/retirement/cutover/cutover.ts';
import { type CutoverRecord, CutoverStore } from '../../../../src/retirement/cutover/store.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import type { CutoverPhase } from '../../../../src/telemetry/status/status.ts';
import { patient } from '../../../support/patience.ts';
import { type LoopbackServer, listenLoopback } from '../../../support/peers/loopback.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

/** A disk in memory, with hooks around each write. */
class Disk {
  kept: string | undefined;
  /** Called before each write; delays the write while pending, and fails the write when it rejects. */
  before: (phase: CutoverPhase) => Promise<void> = async () => {};
  /** Called after each write. */
  after: (phase: CutoverPhase) => Promise<void> = async () => {};

  async read(): Promise<string | undefined> {
    return this.kept;
  }

  async change(text: string | undefined): Promise<void> {
    if (text === undefined) {
      this.kept = undefined;
      return;
    }
    const { phase } = JSON.parse(text) as CutoverRecord;
    await this.before(phase);
    this.kept = text;
    await this.after(phase);
  }

  /** The store of one process. */
  store() {
    return new CutoverStore('/state', () => ({ read: () => this.read(), change: (text) => this.change(text) }));
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
const create = (store = disk.store()) =>
  new Cutover('hub', {
    store,
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

describe(Cutover, () => {
  test('passes through its phases, and records each one on disk and in the evidence', async () => {
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
    'resumes on the safe side after a crash at the write of %s, %s the write',
    async (phase, moment) => {
      const reached = new Promise<void>((resolve) => {
        disk[moment] = async (written) => {
          if (written !== phase) return;
          resolve();
          await never();
        };
      });
      // Stands for the crashed process; its promise is not awaited.
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
    'leaves clients on the tunnel when the disk refuses %s',
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

  test.each(PHASES)('ends with clients on the tunnel when the disk hangs at %s', async (phase) => {
    disk.before = (written) => (written === phase ? never() : Promise.resolve());
    const cutover = create();
    const end = cutover.start(task(), tell).catch((error: TunnelError) => error);
    const outcome = await within('the cut-over ends', end, 4_000);
    const words = expect.stringMatching(/did not answer within 200 ms|not finish within hold/);
    expect(outcome).toMatchObject(
      phase === 'preflight' ? { code: 'state_dir_unusable', message: words } : { reason: words },
    );
    expect([cutover.route, cutover.junction.holding]).toEqual(['tunnel', false]);
  });

  test('holds clients no longer than hold when the disk hangs', async () => {
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

  test('waits a bounded time for open connections, then switches and leaves them on the tunnel', async () => {
    const cutover = create();
    const leave = cutover.junction.enter();
    expect(await cutover.start(task(), tell)).toMatchObject({ outcome: 'committed' });
    expect(told).toContain('1 open connection stays on the tunnel until it ends');
    leave();
    expect(cutover.junction.through).toBe(0);
  });

  test('switches at once when enough clients are waiting', async () => {
    successor = { ...successor, holdMs: 60_000 };
    const cutover = create();
    const leave = cutover.junction.enter();
    const done = cutover.start({ ...task(), maxConnections: 5 }, tell);
    await waitUntil('clients are held', async () => cutover.junction.holding || undefined);
    await Promise.all([1, 2].map(() => cutover.junction.whenReleased(new AbortController().signal)));
    expect(await done).toMatchObject({ outcome: 'committed' });
    leave();
  });

  test('rolls back automatically after `fall` consecutive failures of the successor', async () => {
    successor = { ...successor, verifyForMs: 10_000 };
    const cutover = create();
    const done = cutover.start(task(), tell);
    await waitUntil('the cut-over verifies', async () => cutover.position.phase === 'verifying' || undefined);
    expect(cutover.route).toBe('successor');
    await server.stop();
    expect(await done).toMatchObject({ outcome: 'rolled_back', reason: expect.stringContaining('2 times in a row') });
    expect([cutover.route, (await restarted()).route]).toEqual(['tunnel', 'tunnel']);
  });

  test.each([
    ['while it is in progress', { verifyForMs: 10_000 }],
    ['after its commit', { verifyForMs: 50 }],
  ])('rolls back on request %s', async (_, changes) => {
    successor = { ...successor, ...changes };
    const cutover = create();
    const done = cutover.start(task(), tell);
    const wanted = changes.verifyForMs > 1_000 ? 'verifying' : 'committed';
    await waitUntil(`the phase is ${wanted}`, async () => cutover.position.phase === wanted || undefined);
    expect(await cutover.rollback('somebody wants it', tell)).toMatchObject({ outcome: 'rolled_back' });
    expect(cutover).toMatchObject({ route: 'tunnel', position: { phase: 'rolled_back', reason: 'somebody wants it' } });
    await done;
    expect((await restarted()).route).toBe('tunnel');
  });

  test('saves the rollback of a commit before the route changes, so that a crash is safe', async () => {
    const cutover = create();
    await cutover.start(task(), tell);
    const routes: string[] = [];
    disk.before = async () => void routes.push(cutover.route);
    await cutover.rollback('somebody wants it', tell);
    expect([...routes, cutover.route]).toEqual(['successor', 'tunnel', 'tunnel']);
  });

  test('rolls back when the disk refuses, and reports the disk error', async () => {
    const cutover = create();
    await cutover.start(task(), tell);
    disk.before = async () => {
      throw FULL;
    };
    expect(await cutover.rollback('somebody wants it', tell)).toMatchObject({ outcome: 'rolled_back' });
    expect(cutover.route).toBe('tunnel');
    const notYet = (phase: string) => `cannot save the phase ${phase} yet, the daemon keeps trying: ${FULL.message}`;
    expect(told).toContain(notYet('rolling_back'));
    expect((await restarted()).route).toBe('successor');
    // A second request tries at once, and says so again.
    told.splice(0);
    expect(await cutover.rollback('somebody wants it', tell)).toMatchObject({ outcome: 'rolled_back' });
    expect(told).toEqual([notYet('rolled_back')]);
    disk.before = async () => {};
    await cutover.rollback('somebody wants it', tell);
    expect((await restarted()).route).toBe('tunnel');
  });

  test('saves a rollback that the disk has refused as soon as the disk takes it', async () => {
    const store = disk.store();
    const cutover = create(store);
    await cutover.start(task(), tell);
    disk.before = async () => {
      throw FULL;
    };
    await cutover.rollback('somebody wants it', tell);
    expect(store.unwritten).toMatchObject([{ path: '/state/cutover/hub.json', message: FULL.message }]);
    disk.before = async () => {};
    await waitUntil('the rollback is saved', async () => store.unwritten.length === 0 || undefined);
    expect((await restarted()).route).toBe('tunnel');
  });

  test('never commits on the disk what was rolled back, when the disk takes the commit too late', async () => {
    const late: (() => void)[] = [];
    disk.before = (phase) => (phase === 'committed' ? new Promise((go) => late.push(go)) : Promise.resolve());
    const cutover = create();
    expect(await cutover.start(task(), tell)).toMatchObject({ outcome: 'rolled_back' });
    for (const go of late) go();
    await waitUntil('the rollback is saved', async () => disk.kept?.includes('rolled_back') || undefined);
    expect((await restarted()).route).toBe('tunnel');
  });

  test('rolls back at the start when the commit was to another successor', async () => {
    await create().start(task(), tell);
    successor = { ...successor, target: { kind: 'tcp', host: '127.0.0.1', port: 1 } };
    const again = await restarted();
    expect(again).toMatchObject({ route: 'tunnel', position: { phase: 'rolled_back' } });
    expect(again.position.reason).toContain('no longer has the successor');
  });

  test('keeps its successor on a retired tunnel until a changed successor is checked', async () => {
    await create().start(task(), tell);
    const { target } = successor;
    successor = { ...successor, target: { kind: 'tcp', host: '127.0.0.1', port: 1 } };
    const again = create();
    await again.restore(successor, true);
    expect([again.position.phase, again.junction.detour?.target]).toEqual(['committed', target]);
    await again.adopt(async () => undefined);
    expect(again.junction.detour?.target).toEqual(successor.target);
  });

  test('leaves clients on the tunnel when the saved state cannot be read, and reports that', async () => {
    disk.read = () => Promise.reject(new TunnelError('state_dir_unusable', 'it is no JSON'));
    const again = await restarted();
    expect([again.route, again.status()?.reason]).toEqual(['tunnel', expect.stringContaining('it is no JSON')]);
    expect(events).toEqual(['cutover.unreadable undefined']);
  });

  test('saves a rollback over a commit that the daemon could not read at its start', async () => {
    await create().start(task(), tell);
    const { read } = disk;
    disk.read = () => Promise.reject(new TunnelError('state_dir_unusable', 'the disk does not answer'));
    const again = await restarted();
    disk.read = read;
    expect(await again.rollback('as asked', tell)).toMatchObject({ outcome: 'rolled_back' });
    expect((await restarted()).route).toBe('tunnel');
  });
});
