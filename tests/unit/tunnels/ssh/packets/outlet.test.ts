import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Outlet } from '../../../../../src/tunnels/ssh/packets/outlet.ts';

/** Takes each write at once, like a kernel with room; or holds them, like a full one. */
class Kernel extends Duplex {
  readonly writes: Buffer[] = [];
  full = false;
  #stuck: (() => void) | undefined;

  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // A copy: the memory is the outlet's again once the write is done.
    const take = () => {
      this.writes.push(Buffer.from(chunk));
      done();
    };
    if (this.full) this.#stuck = take;
    else take();
  }
  drain(): void {
    this.full = false;
    this.#stuck?.();
  }
  get text(): string {
    return Buffer.concat(this.writes).toString();
  }
}

function start() {
  const kernel = new Kernel();
  const outlet = new Outlet(kernel);
  /** Like ssh2's ciphers: room, then content, then the write. */
  const send = (text: string) => {
    const room = outlet.room(Buffer.byteLength(text));
    room.write(text);
    return kernel.write(room);
  };
  return { kernel, outlet, send };
}

describe('an outlet', () => {
  it('writes all packets of a callback together', async () => {
    const { kernel, send } = start();
    for (const text of ['one ', 'two ', 'three']) send(text);
    expect(kernel.writes).toEqual([]);
    await turn();
    expect(kernel.writes.map(String)).toEqual(['one two three']);
  });

  it('keeps the order of packets in its own memory, in other memory, and of large ones', async () => {
    const { kernel, send } = start();
    const large = 'x'.repeat(10_000);
    send('a');
    kernel.write(Buffer.from('b'));
    kernel.write(Buffer.from(large));
    send('c');
    kernel.write(Buffer.from('d'));
    await turn();
    expect(kernel.text).toBe(`ab${large}cd`);
  });

  it('omits room that was never written', async () => {
    const { kernel, outlet, send } = start();
    send('a');
    outlet.room(100).fill('?');
    send('b');
    await turn();
    send('c');
    await turn();
    expect(kernel.text).toBe('abc');
  });

  it('changes no packet that the kernel has not taken yet', async () => {
    const { kernel, send } = start();
    kernel.full = true;
    const expected: string[] = [];
    for (let number = 0; number < 400; number++) {
      const text = `${number} `.repeat(500);
      expected.push(text);
      send(text);
      if (number % 7 === 0) await turn();
    }
    kernel.drain();
    await turn();
    await turn();
    expect(kernel.text).toBe(expected.join(''));
  });

  it('writes 64 KiB at once, and reports a transport that is full', () => {
    const { kernel, send } = start();
    kernel.full = true;
    const packet = 'x'.repeat(32 * 1024);
    expect([send(packet), send(packet)]).toEqual([true, false]);
    expect(kernel.writableLength).toBe(64 * 1024);
  });

  it('writes the last packets before the end of the transport', async () => {
    const { kernel, send } = start();
    send('goodbye');
    kernel.end();
    await turn();
    expect(kernel.text).toBe('goodbye');
    expect(kernel.writableFinished).toBe(true);
  });

  it('waits for the end of the turn when several callbacks of one turn send', async () => {
    const { kernel, send } = start();
    const busyTurn = async () => {
      kernel.writes.length = 0;
      for (let callback = 0; callback < 5; callback++) {
        send('x');
        await new Promise<void>((resolve) => process.nextTick(resolve));
      }
      await turn();
      return kernel.writes.length;
    };
    expect(await busyTurn()).toBe(5);
    const writes: number[] = [];
    for (let busy = 0; busy < 20; busy++) writes.push(await busyTurn());
    expect(Math.min(...writes)).toBe(1);
  });
});
