import { beforeEach, describe, expect, test } from 'vitest';
import { Names, type Turn } from '../../../../src/tunnels/link/names.ts';

let frozen: string[];
let names: Names;
const never = new AbortController().signal;

beforeEach(() => {
  frozen = [];
  names = new Names(() => frozen);
});

async function prove(host: string): Promise<void> {
  (await names.enter(host, never)).passed(true);
}

/** Whether the turn comes without a wait. */
async function entersNow(host: string): Promise<Turn | undefined> {
  const gone = new AbortController();
  const turn = names.enter(host, gone.signal).catch(() => undefined);
  // A turn that is free comes within one round of microtasks.
  await new Promise((resolve) => setImmediate(resolve));
  gone.abort();
  return turn;
}

describe('names that never answered quickly', () => {
  test('take turns: the next one is sent when the server has passed the one before', async () => {
    const first = await names.enter('a', never);
    const second = names.enter('b', never);
    expect(await entersNow('c')).toBeUndefined();
    first.passed(false);
    expect(await second).toMatchObject({ proven: false });
  });

  test('wait while a session is frozen, also when the client of the frozen open has left', async () => {
    frozen = ['a'];
    expect(await entersNow('b')).toBeUndefined();
    frozen = [];
    expect(await entersNow('b')).toBeDefined();
  });

  test('give up their turn when the client leaves', async () => {
    const first = await names.enter('a', never);
    const gone = new AbortController();
    const waiting = names.enter('b', gone.signal);
    gone.abort(new Error('the client left'));
    await expect(waiting).rejects.toThrow('the client left');
    first.passed(false);
    expect(await entersNow('c')).toBeDefined();
  });
});

describe('names that answered quickly before', () => {
  test('go on while another name waits for its answer or freezes a session', async () => {
    await prove('localhost');
    const turn = await names.enter('frozen', never);
    expect(await entersNow('localhost')).toMatchObject({ proven: true });
    frozen = ['frozen'];
    expect(await entersNow('localhost')).toMatchObject({ proven: true });
    turn.passed(false);
  });

  test('lose their proof when they freeze a session, and get it back by a quick answer', async () => {
    await prove('db');
    frozen = ['db'];
    expect(await entersNow('db')).toBeUndefined();
    expect(names.mayRepeat('db')).toBe(false);
    frozen = [];
    expect(await entersNow('db')).toMatchObject({ proven: false });
  });

  test('are bounded in number while no answer comes', async () => {
    await prove('db');
    for (let n = 0; n < 16; n++) await names.enter('db', never);
    expect(await entersNow('db')).toBeUndefined();
  });

  test('keep their proof when a slow answer was not their fault', async () => {
    await prove('db');
    (await names.enter('db', never)).passed(false);
    expect(await entersNow('db')).toMatchObject({ proven: true });
  });
});

test('lets addresses pass freely, until one of them freezes a session', () => {
  expect([names.mayFreeze('192.0.2.7'), names.mayFreeze('2001:db8::1'), names.mayFreeze('db')]).toEqual([
    false,
    false,
    true,
  ]);
  frozen = ['192.0.2.7'];
  expect(names.mayFreeze('192.0.2.7')).toBe(true);
  frozen = [];
  expect(names.mayFreeze('192.0.2.7')).toBe(true);
  names.begin('192.0.2.7').passed(true);
  expect(names.mayFreeze('192.0.2.7')).toBe(false);
});

test('repeats a name elsewhere unless a frozen session makes this a risk', async () => {
  expect(names.mayRepeat('new')).toBe(true);
  await prove('known');
  frozen = ['guilty'];
  expect(['new', 'known', '192.0.2.7', 'guilty'].map((host) => names.mayRepeat(host))).toEqual([
    false,
    true,
    true,
    false,
  ]);
});

test('forgets the oldest of a thousand hosts', async () => {
  for (let n = 0; n <= 1_000; n++) await prove(`host${n}`);
  expect((await names.enter('host0', never)).proven).toBe(false);
  expect((await names.enter('host1', never)).proven).toBe(true);
});
