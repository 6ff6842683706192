import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClientStatus } from '../../../../src/telemetry/status/status.ts';
import { Cleanup } from '../../../support/cleanup.ts';
import { startNamedClient } from '../../../support/clients/named-client.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { runCli } from '../../../support/daemon/daemon.ts';
import { type Mesh, startMesh, tunnelOf } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { daemonHoldings, expectNothingLeaked } from '../../../support/machine/daemon-holdings.ts';
import type { LoopbackServer } from '../../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';

const NOBODY = 65_534;
const MANY = 2_000;

describe.skipIf(!has('sshd') || !has('procfs'))('the clients of a tunnel', () => {
  const cleanup = new Cleanup();
  let sshd: Sshd;
  let echo: LoopbackServer;
  let mesh: Mesh;
  beforeAll(async () => {
    sshd = cleanup.use(await startSshd());
    echo = cleanup.use(await startEcho());
    mesh = cleanup.use(await start());
    await mesh.waitForTunnel('up');
  });
  afterAll(() => cleanup[Symbol.asyncDispose]());

  const start = (wrapper: readonly string[] = []) =>
    startMesh({
      sshd,
      wrapper,
      tunnels: { echo: { target: echo.port, probe: { tcp: {}, every: '500ms' } }, busy: { target: echo.port } },
    });
  const clientsOf = async (of: Mesh, wanted: (client: ClientStatus) => boolean) => {
    const has = ({ usage }: { usage: { clients: ClientStatus[] | null } }) => usage.clients?.some(wanted) === true;
    const status = await of.waitFor((each) => has(tunnelOf(each, 'echo')));
    return tunnelOf(status, 'echo').usage.clients?.find(wanted);
  };

  it('names clients while connected and afterwards, and counts no probes', async () => {
    await using client = startNamedClient(mesh.port('echo'), 'backup');
    const found = await clientsOf(mesh, ({ process }) => process === 'backup' || process === 'bash');
    expect(found).toMatchObject({ pid: client.pid, uid: process.getuid?.(), open: 1, connections_total: 1 });
    const why = await runCli(['why', 'echo', '--endpoint', `127.0.0.1:${mesh.endpointPort}`]);
    expect(why.stdout).toMatch(
      new RegExp(`clients: +(backup|bash) \\(pid ${client.pid}, .+\\): 1 connection, 1 open now`),
    );
    await client.stop();
    const gone = await clientsOf(mesh, ({ pid, open }) => pid === client.pid && open === 0);
    expect(gone?.last_seen_at.getTime()).toBeLessThanOrEqual(Date.now());
    const status = await runCli(['status', 'echo', '--endpoint', `127.0.0.1:${mesh.endpointPort}`]);
    expect(status.stdout).toMatch(new RegExp(`CLIENTS\n  (backup|bash) \\(pid ${client.pid}, .+last seen \\d+s ago`));
    const { usage } = tunnelOf(await mesh.daemon.status(), 'echo');
    expect([usage.clients?.length, usage.other_clients, usage.opened_total]).toEqual([1, null, 1]);
  });

  it.skipIf(!has('root'))(
    'names clients of another user with the right to see them, else only their user',
    async () => {
      await using unprivileged = await start(['setpriv', '--bounding-set', '-sys_ptrace', '--inh-caps', '-sys_ptrace']);
      await unprivileged.waitForTunnel('up');
      await using seen = startNamedClient(mesh.port('echo'), 'x', NOBODY);
      await using unseen = startNamedClient(unprivileged.port('echo'), 'x', NOBODY);
      expect((await clientsOf(mesh, ({ uid }) => uid === NOBODY))?.pid).toBe(seen.pid);
      expect(await clientsOf(unprivileged, () => true)).toMatchObject({ process: 'unknown', pid: null, uid: NOBODY });
      expect(await unprivileged.metric('client_lookups_total', { result: 'unknown' })).toBe(1);
      await unseen.stop();
    },
  );

  it(`looks up ${MANY} short clients within the budget, delays none and leaves nothing behind`, async () => {
    const port = mesh.port('busy');
    await Promise.all(Array.from({ length: 10 }, () => echoOnce(port)));
    const before = await daemonHoldings(mesh);
    const workBefore = await mesh.metric('client_lookup_seconds_sum');
    const from = performance.now();
    let left = MANY - 10;
    const loop = async () => {
      while (left-- > 0) await echoOnce(port);
    };
    await Promise.all(Array.from({ length: 10 }, loop));
    const status = await mesh.waitFor((each) => {
      const { clients, other_clients } = tunnelOf(each, 'busy').usage;
      const all = [...(clients ?? []), ...(other_clients === null ? [] : [other_clients])];
      return all.reduce((sum, { connections_total }) => sum + connections_total, 0) === MANY;
    });
    const { usage } = tunnelOf(status, 'busy');
    expect([usage.opened_total, usage.failed_total]).toEqual([MANY, 0]);
    expect(usage.clients?.length).toBeLessThanOrEqual(4);
    const worked = (await mesh.metric('client_lookup_seconds_sum')) - workBefore;
    // A read of the table is not interrupted: on a busy machine a read takes long, and the next one waits longer.
    expect(worked).toBeLessThan(0.5 + (0.07 * (performance.now() - from)) / 1_000);
    await expectNothingLeaked(mesh, before);
  });
});
