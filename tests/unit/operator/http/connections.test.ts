import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import { afterEach, expect, it, vi } from 'vitest';
import { Connections } from '../../../../src/operator/http/connections.ts';

afterEach(() => vi.useRealTimers());

it('drops a client that does not read its answers to pipelined requests, and keeps the others', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const server = new EventEmitter();
  new Connections(server as Server, { most: 10, reserve: 1, mostUnreadBytes: 40, mostPipelined: 4 });
  const connect = () => {
    const socket = Object.assign(new EventEmitter(), { destroy: vi.fn() });
    server.emit('connection', socket);
    return socket;
  };
  /** Only the first answer has the socket; the others keep their bytes. */
  const ask = (socket: EventEmitter) =>
    server.emit('request', { socket }, Object.assign(new EventEmitter(), { writableLength: 16, writableEnded: true }));
  const [silent, reading] = [connect(), connect()];
  for (let n = 0; n < 3; n++) ask(silent);
  expect(silent.destroy).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1_500);
  ask(reading);
  expect(silent.destroy).toHaveBeenCalledOnce();
  expect(reading.destroy).not.toHaveBeenCalled();
});
