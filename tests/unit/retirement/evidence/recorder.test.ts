import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseEntry } from '../../../../src/retirement/evidence/entry.ts';
import type { TunnelPulse } from '../../../../src/retirement/evidence/events.ts';
import { readLines } from '../../../../src/retirement/evidence/files.ts';
import { StateDirectoryOwner } from '../../../../src/retirement/evidence/owner.ts';
import { Recorder } from '../../../../src/retirement/evidence/recorder.ts';
import { verifyLog } from '../../../../src/retirement/evidence/verify.ts';
import { recordingLogger } from '../../../support/fakes/fake-link.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';

let directory: TempDir;
let state: string;
let logged: string[];
const started: Recorder[] = [];
const owners: StateDirectoryOwner[] = [];
beforeEach(() => {
  directory = tempDir('recorder');
  state = join(directory.path, 'state');
  logged = [];
});
afterEach(async () => {
  for (const each of started.splice(0)) await each.stop();
  for (const each of owners.splice(0)) await each.release(1_000);
  directory[Symbol.dispose]();
});

const recorder = () => {
  const log = recordingLogger(logged);
  const owner = new StateDirectoryOwner(state, { log, lock: async () => 'locked' });
  owners.push(owner);
  const claim = () => owner.claim();
  const made = new Recorder({ directory: state, version: '1', node: 'here' }, { log, claim });
  started.push(made);
  return made;
};
const up: TunnelPulse = {
  state: 'up',
  serving: true,
  listening: true,
  open: 0,
  openedTotal: 0,
  lastActivityAt: undefined,
};
const change = (to: string) => ({
  event: 'tunnel.state',
  tunnel: 'hub',
  from: 'unverified',
  to,
  serving: to === 'up',
  reason: null,
  code: null,
});
const told = async () => {
  const events: string[] = [];
  for await (const { text } of readLines(state)) events.push(parseEntry(text.toString())?.event ?? '?');
  return events;
};

describe(Recorder, () => {
  it('records events, and knows them in the next run', async () => {
    const first = recorder();
    await first.start('aa');
    first.note(change('up'));
    const usedAt = new Date();
    first.note({ event: 'tunnel.used', tunnel: 'hub' }, usedAt);
    first.tick(new Map(), () => new Map([['hub', up]]));
    await first.stop();
    expect(await told()).toEqual(['daemon.started', 'tunnel.state', 'tunnel.used', 'heartbeat', 'daemon.stopped']);
    const second = recorder();
    expect(second.historyOf('hub')).toBeUndefined();
    await second.start('aa');
    expect(second.historyOf('hub')).toMatchObject({
      lastActivityAt: usedAt.getTime(),
      spans: [{ state: 'up' }],
    });
    expect(second.recent.entries.map(({ event }) => event)).toEqual([
      'daemon.started',
      'tunnel.state',
      'tunnel.used',
      'daemon.stopped',
    ]);
  });

  it('watches without a break while lines and ticks follow each other within a millisecond', async () => {
    const one = recorder();
    await one.start('aa');
    one.note(change('up'));
    for (let n = 0; n < 3_000; n++) {
      one.note({ event: 'operator.up', tunnels: ['hub'] });
      one.tick(new Map(), () => new Map([['hub', up]]));
    }
    expect(one.historyOf('hub')?.spans.filter(({ begins }) => begins)).toHaveLength(1);
  });

  it('settles when the recorded events are on disk', async () => {
    const one = recorder();
    void one.start('aa');
    one.note(change('up'));
    await one.settled();
    expect(await told()).toEqual(['daemon.started', 'tunnel.state']);
  });

  it('records events from before the log is open, in order', async () => {
    const one = recorder();
    const opening = one.start('aa');
    one.note(change('down'));
    one.note(change('up'));
    expect(one.condition).toEqual({ kind: 'opening' });
    await opening;
    await one.settled();
    expect(await told()).toEqual(['daemon.started', 'tunnel.state', 'tunnel.state']);
    expect(one.historyOf('hub')?.spans.map(({ state: each }) => each)).toEqual(['down', 'up']);
  });

  it('has no history and blocks nothing while the directory is unusable, then catches up and records the failure', async () => {
    mkdirSync(state, { mode: 0o777 });
    chmodSync(state, 0o777);
    const one = recorder();
    await one.start('aa');
    one.note(change('up'));
    await one.settled();
    expect(one.condition).toMatchObject({ kind: 'failing', waiting: 2 });
    expect(one.historyOf('hub')).toBeUndefined();
    chmodSync(state, 0o700);
    const tickAndLook = () => {
      one.tick(new Map(), () => new Map([['hub', up]]));
      return one.condition.kind;
    };
    await expect.poll(tickAndLook, { timeout: 4_000 }).toBe('ok');
    await one.settled();
    expect(await told()).toEqual(['daemon.started', 'tunnel.state', 'heartbeat', 'log.resumed']);
    expect(logged).toEqual(['evidence.unavailable', 'evidence.resumed']);
    expect((await verifyLog(state)).problems).toEqual([]);
  });

  it('reports a removed incomplete line, and damage', async () => {
    const first = recorder();
    await first.start('aa');
    first.note(change('up'));
    await first.stop();
    const file = join(state, 'events.jsonl');
    const lines = [];
    for await (const { text } of readLines(state)) lines.push(text.toString());
    writeFileSync(file, `${lines.join('\n').replace('"to":"up"', '"to":"down"')}\n{"seq":`);
    const second = recorder();
    await second.start('aa');
    await second.settled();
    expect((await told()).slice(-2)).toEqual(['log.repaired', 'log.damaged']);
    expect(logged).toEqual(['evidence.repaired', 'evidence.damaged']);
  });

  it('restarts the watch after the log was moved, and tells why meanwhile', async () => {
    const one = recorder();
    await one.start('aa');
    const usedAt = new Date();
    one.note(change('up'));
    one.note({ event: 'tunnel.used', tunnel: 'hub' }, usedAt);
    await one.settled();
    expect(one.unwritten).toBeUndefined();
    renameSync(join(state, 'events.jsonl'), join(state, 'moved'));
    const since = Date.now();
    await one.check();
    expect(one.unwritten).toEqual({
      since: expect.any(Date),
      message: 'the evidence cannot be written: events.jsonl was moved or removed',
    });
    await expect.poll(() => one.unwritten, { timeout: 5_000 }).toBeUndefined();
    const { spans, lastActivityAt } = one.historyOf('hub') ?? {};
    expect(spans?.at(-1)).toMatchObject({
      state: 'up',
      begins: true,
      from: expect.toSatisfy((at: number) => at >= since),
    });
    expect(lastActivityAt).toBe(usedAt.getTime());
    expect(await told()).toEqual(['log.seam', 'log.resumed']);
    expect(logged).toEqual(['evidence.unavailable', 'evidence.seam', 'evidence.resumed']);
  });
});
