import { expect, test } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { runCheck } from '../../../../src/tunnels/probe/check.ts';
import { throughChannel } from '../../../../src/tunnels/probe/through-channel.ts';
import { SocketChannelSource } from '../../../support/fakes/socket-channel-source.ts';
import { TcpServer } from '../../../support/peers/tcp-server.ts';

const never = new AbortController().signal;
const forever = () => new Promise<never>(() => {});

test('passes a tcp check when the channel opens, and closes the channel', async () => {
  await using server = await TcpServer.listen(() => {});
  const source = new SocketChannelSource();
  await runCheck({ kind: 'tcp' }, source, server.address, never);
  expect(source.asked).toEqual([{ target: server.address, originator: { address: '127.0.0.1', port: 0 } }]);
  expect(source.channels).toHaveLength(1);
  expect(source.allClosed).toBe(true);
});

test("passes the source's refusal on unchanged", async () => {
  const source = new SocketChannelSource();
  source.refusal = new TunnelError('target_refused', 'refused');
  await expect(runCheck({ kind: 'tcp' }, source, { kind: 'tcp', host: '127.0.0.1', port: 1 }, never)).rejects.toBe(
    source.refusal,
  );
});

test('closes the channel of a failed check', async () => {
  await using server = await TcpServer.listen(() => {});
  const source = new SocketChannelSource();
  const failed = new Error('failed');
  await expect(throughChannel(source, server.address, never, () => Promise.reject(failed))).rejects.toBe(failed);
  expect(source.allClosed).toBe(true);
});

test('ends a check at once when the signal aborts', async () => {
  await using server = await TcpServer.listen(() => {});
  const source = new SocketChannelSource();
  const controller = new AbortController();
  let over: AbortSignal | undefined;
  const check = throughChannel(source, server.address, controller.signal, (_, signalOfEnd) => {
    over = signalOfEnd();
    controller.abort(new Error('deadline'));
    return forever();
  });
  await expect(check).rejects.toThrow('deadline');
  expect(over?.aborted).toBe(true);
  expect(source.allClosed).toBe(true);
});

test('closes a channel that opens after the deadline', async () => {
  await using server = await TcpServer.listen(() => {});
  const source = new SocketChannelSource();
  const { open } = gateOf(source);
  const controller = new AbortController();
  const check = runCheck({ kind: 'tcp' }, source, server.address, controller.signal);
  controller.abort(new Error('deadline'));
  await expect(check).rejects.toThrow('deadline');
  open();
  await expect.poll(() => source.channels.length).toBe(1);
  await expect.poll(() => source.allClosed).toBe(true);
});

test('reports a session lost during the check, not the end of the stream', async () => {
  await using server = await TcpServer.listen(() => {});
  const source = new SocketChannelSource();
  const check = throughChannel(source, server.address, never, (stream) => {
    setImmediate(() => source.channels[0]?.lose());
    return new Promise((_, reject) => stream.resume().on('end', () => reject(new Error('ended'))));
  });
  await expect(check).rejects.toMatchObject({ code: 'connection_reset' });
  expect(source.allClosed).toBe(true);
});

test('handles an error of the stream after the check', async () => {
  await using server = await TcpServer.listen(() => {});
  const source = new SocketChannelSource();
  await runCheck({ kind: 'tcp' }, source, server.address, never);
  expect(() => source.channels[0]?.stream.emit('error', new Error('late'))).not.toThrow();
});

/** Makes the source wait until `open` is called. */
function gateOf(source: SocketChannelSource): { open: () => void } {
  let open = () => {};
  source.gate = new Promise((resolve) => {
    open = resolve;
  });
  return { open };
}
