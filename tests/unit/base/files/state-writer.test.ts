import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { StateWriter } from '../../../../src/base/files/state-writer.ts';

const full = () =>
  new TunnelError('state_dir_unusable', 'no space is left', {
    cause: Object.assign(new Error('x'), { code: 'ENOSPC' }),
  });

let disk: string | undefined;
let attempts: (string | undefined)[];
let fault: (() => Promise<void>) | undefined;
let writer: StateWriter;

beforeEach(() => {
  vi.useFakeTimers();
  [disk, attempts, fault] = ['old', [], undefined];
  writer = new StateWriter('/state/file.json', async (text) => {
    attempts.push(text);
    await fault?.();
    disk = text;
  });
});
afterEach(() => void vi.useRealTimers());

const refuse = async () => {
  throw full();
};
const rejected = (promise: Promise<void>) =>
  promise.then(
    () => false,
    () => true,
  );

describe(StateWriter, () => {
  it('writes the content, and has nothing to say', async () => {
    await writer.want('new');
    expect([disk, writer.unwritten]).toEqual(['new', undefined]);
  });

  it('says at once that an attempt failed, and goes on until the disk takes the content', async () => {
    fault = refuse;
    expect(await rejected(writer.want('new'))).toBe(true);
    const since = new Date();
    expect(writer.unwritten).toEqual({ path: '/state/file.json', code: 'ENOSPC', message: 'no space is left', since });
    await vi.advanceTimersByTimeAsync(60_000);
    expect([disk, writer.unwritten?.since]).toEqual(['old', since]);
    fault = undefined;
    await vi.advanceTimersByTimeAsync(5_000);
    expect([disk, writer.unwritten]).toEqual(['new', undefined]);
  });

  it('waits longer after each failure, five seconds at most', async () => {
    fault = refuse;
    await rejected(writer.want('new'));
    await vi.advanceTimersByTimeAsync(60_000);
    // 0.25 + 0.5 + 1 + 2 + 4 s, then 5 s each.
    expect(attempts).toHaveLength(1 + 5 + 10);
  });

  it('tries at once when a newer content comes, and never writes the older one', async () => {
    fault = refuse;
    await rejected(writer.want('one'));
    fault = undefined;
    await writer.want('two');
    await vi.advanceTimersByTimeAsync(60_000);
    expect([disk, attempts]).toEqual(['two', ['one', 'two']]);
  });

  it('writes only the newest of many contents that come during a write', async () => {
    let finish = () => {};
    fault = () => new Promise((resolve) => (finish = resolve));
    const first = writer.want('0');
    const later = Array.from({ length: 1_000 }, (_, n) => writer.want(String(n + 1)));
    fault = undefined;
    finish();
    await Promise.all([first, ...later]);
    expect([disk, attempts]).toEqual(['1000', ['0', '1000']]);
  });

  it('says after two seconds that a disk does not answer, and not before', async () => {
    let finish = () => {};
    fault = () => new Promise((resolve) => (finish = resolve));
    const since = new Date();
    const written = writer.want(undefined);
    await vi.advanceTimersByTimeAsync(1_900);
    expect(writer.unwritten).toBeUndefined();
    await vi.advanceTimersByTimeAsync(200);
    expect(writer.unwritten).toMatchObject({ code: 'ETIMEDOUT', since });
    finish();
    await written;
    expect([disk, writer.unwritten]).toEqual([undefined, undefined]);
  });

  it('keeps nobody waiting for an attempt that giving up cancels', async () => {
    fault = () => new Promise((resolve) => setTimeout(resolve, 1_000));
    const [first, second] = [rejected(writer.want('new')), rejected(writer.want('newer'))];
    writer.giveUp();
    expect(await second).toBe(true);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([await first, attempts]).toEqual([false, ['new']]);
  });

  it('makes no further attempt after giving up', async () => {
    fault = refuse;
    await rejected(writer.want('new'));
    writer.giveUp();
    fault = undefined;
    await vi.advanceTimersByTimeAsync(60_000);
    expect([disk, attempts, writer.unwritten]).toEqual(['old', ['new'], undefined]);
  });
});
