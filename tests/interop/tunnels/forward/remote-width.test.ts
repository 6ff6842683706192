import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { TunnelStatus } from '../../../../src/telemetry/status/status.ts';
import { findTunnel, startMesh } from '../../../support/daemon/mesh.ts';
import { has, missing } from '../../../support/machine/capabilities.ts';
import { freePort } from '../../../support/peers/loopback.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';

type Gateway = 'no' | 'yes' | 'clientspecified';

/** What sshd (channel_fwd_bind_addr in channels.c) makes of an address, and the right judgement about that. */
const ROWS: readonly [Gateway, string, TunnelStatus['state'], RegExp | null][] = [
  // Confined to both loopback addresses.
  ['no', '0.0.0.0', 'down', /listens on loopback only/],
  ['no', '[::]', 'down', /listens on loopback only/],
  ['no', '[0:0:0:0:0:0:0:0]', 'down', /listens on loopback only/],
  ['no', '127.0.0.1', 'up', null],
  ['no', '[::1]', 'up', null],
  ['no', 'localhost', 'up', null],
  // Every address of both families, whatever was requested.
  ['yes', '0.0.0.0', 'up', null],
  ['yes', '[::]', 'up', null],
  ['yes', '127.0.0.1', 'unverified', /listens on every address instead of/],
  ['yes', '127.0.0.2', 'unverified', /listens on every address instead of/],
  ['yes', '[::1]', 'unverified', /listens on every address instead of/],
  ['yes', 'localhost', 'unverified', /listens on every address instead of/],
  // As requested; `::` is bound for IPv6 alone.
  ['clientspecified', '0.0.0.0', 'up', null],
  ['clientspecified', '[::]', 'up', null],
  ['clientspecified', '127.0.0.1', 'up', null],
  ['clientspecified', '127.0.0.2', 'up', null],
  ['clientspecified', '[::1]', 'up', null],
  ['clientspecified', '[0:0:0:0:0:0:0:1]', 'up', null],
  ['clientspecified', 'localhost', 'up', null],
];

const hasIpv6 = await new Promise<boolean>((resolve) => {
  const server = createServer();
  server.on('error', () => resolve(false)).listen(0, '::1', () => server.close(() => resolve(true)));
});

describe.skipIf(!has('sshd') || !(hasIpv6 || missing('IPv6', 'allow IPv6 on loopback')))(
  'the width of a remote listener',
  () => {
    it.each(['no', 'yes', 'clientspecified'] as const)(
      'is judged as requested under GatewayPorts %s',
      async (gateway) => {
        await using sshd = await startSshd({ extraConfig: [`GatewayPorts ${gateway}`] });
        await using echo = await startEcho();
        const rows = ROWS.filter(([each]) => each === gateway);
        const listens = await Promise.all(rows.map(async ([, host]) => `${host}:${await freePort()}`));
        const tunnels = Object.fromEntries(
          rows.map((_, index) => [`t${index}`, { direction: 'remote', target: echo.port, listen: listens[index] }]),
        );
        await using mesh = await startMesh({ sshd, tunnels });
        const settled = await mesh.waitFor((status) =>
          Object.keys(tunnels).every((name) => {
            const tunnel = findTunnel(status, name);
            return tunnel?.state === 'up' || tunnel?.last_error?.code === 'remote_listen_denied';
          }),
        );
        const judged = rows.map(([, host], index) => {
          const tunnel = findTunnel(settled, `t${index}`);
          return [host, tunnel?.state, tunnel?.reason];
        });
        const expected = rows.map(([, host, state, reason]) => [host, state, reason && expect.stringMatching(reason)]);
        expect(judged).toEqual(expected);
      },
    );

    it('stays unverified while the server forbids the connection that proves the width', async () => {
      const port = await freePort();
      const permit = [`PermitOpen 127.0.0.1:${port}`, 'GatewayPorts clientspecified'];
      await using sshd = await startSshd({ extraConfig: permit });
      await using echo = await startEcho();
      const wide = { direction: 'remote', target: echo.port, listen: `0.0.0.0:${port}` };
      await using mesh = await startMesh({ sshd, tunnels: { wide } });
      const status = await mesh.waitFor((each) => findTunnel(each, 'wide')?.last_error?.code === 'forward_denied');
      expect(findTunnel(status, 'wide')).toMatchObject({
        state: 'unverified',
        last_error: { hint: expect.stringContaining(`127.0.0.2:${port}`) },
      });
    });
  },
);
