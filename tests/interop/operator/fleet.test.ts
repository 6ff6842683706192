import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpGet } from '../../support/clients/http-get.ts';
import { runCli } from '../../support/daemon/daemon.ts';
import { type Mesh, startMesh } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { spawnOwned } from '../../support/machine/owned-process.ts';
import { findPrometheus } from '../../support/machine/prometheus.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { freePort, type LoopbackServer } from '../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startBanner, startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

const prometheus = findPrometheus('prometheus');

const RAW = /(?!\n|\t)[\p{Cc}\p{Cf}]/u;

describe.skipIf(!has('sshd'))('the fleet over a real sshd', () => {
  let sshd: Sshd;
  let farSshd: Sshd;
  let echo: LoopbackServer;
  let hostile: LoopbackServer;
  /** Runs on the host that `near` reaches. */
  let far: Mesh;
  let near: Mesh;
  const fleet = async () => JSON.parse((await near.daemon.get('/fleet')).body);
  const nodeOf = async (host: string) => (await fleet()).nodes.find((node: { host: string }) => node.host === host);

  beforeAll(async () => {
    [sshd, farSshd, echo, hostile] = await Promise.all([
      startSshd(),
      startSshd(),
      startEcho(),
      startBanner('HTTP/1.1 200 OK\r\n\r\n{"node":"\u202e\u001b[2J'),
    ]);
    far = await startMesh({
      sshd: farSshd,
      tunnels: { one: { target: echo.port, production: true }, two: { target: echo.port } },
      extra: { node: 'coulombcore' },
    });
    await far.waitForTunnel('up', 'one');
    await far.waitForTunnel('up', 'two');
    const place = { address: '127.0.0.1', port: sshd.port, user: sshd.user, known_hosts: sshd.knownHostsFile };
    near = await startMesh({
      sshd,
      host: { endpoint: `127.0.0.1:${far.endpointPort}` },
      hosts: {
        hostile: { ...place, endpoint: `localhost:${hostile.port}` },
        bare: { ...place, endpoint: `127.0.0.1:${await freePort()}` },
        private: { ...place, endpoint: 'none' },
      },
      tunnels: {
        echo: { target: echo.port, production: true },
        scrape: { target: far.endpointPort },
        over_hostile: { host: 'hostile', target: echo.port },
        over_bare: { host: 'bare', target: echo.port },
        over_private: { host: 'private', target: echo.port },
      },
    });
    for (const name of ['echo', 'scrape', 'over_hostile', 'over_bare', 'over_private'])
      await near.waitForTunnel('up', name);
  });
  afterAll(async () => {
    await near[Symbol.asyncDispose]();
    await far[Symbol.asyncDispose]();
    await Promise.all([echo.stop(), hostile.stop()]);
    await sshd[Symbol.asyncDispose]();
    await farSshd[Symbol.asyncDispose]();
  });

  it('has the state of the second daemon, and a reason for each host without an answer', async () => {
    const { self, nodes } = await fleet();
    const { version } = await far.daemon.status();
    expect(self).toMatchObject({ node: 'railiance01', state: 'up', tunnels: { total: 5, up: 5 } });
    expect(nodes).toMatchObject([
      { host: 'bare', answers: false, answered_at: null, error: { code: 'target_refused' } },
      { host: 'coulombcore', answers: true, node: 'coulombcore', version, state: 'up', tunnels: { total: 2, up: 2 } },
      { host: 'hostile', answers: false, state: null, error: { code: 'target_unreachable' } },
    ]);
    expect(nodes[1]).toMatchObject({ answered_at: expect.stringMatching(/Z$/), error: null });
    expect(nodes[0].error.hint).toContain('hosts.bare.endpoint');
  });

  it('is no use by a client, neither here nor there', async () => {
    await fleet();
    for (const mesh of [near, far])
      for (const { usage } of (await mesh.daemon.status()).tunnels)
        expect(usage).toMatchObject({ open: 0, opened_total: 0, failed_total: 0, last_activity_at: null });
  });

  it('is printed by `fleet-mesh fleet` as one table, and as JSON', async () => {
    const { code, stdout } = await runCli(['fleet', '--config', near.configFile]);
    // Two hosts do not answer.
    expect(code).toBe(1);
    expect(stdout).toMatch(/^HOST +NODE +STATE +TUNNELS UP +LAST ANSWER +VERSION\n/);
    expect(stdout).toMatch(/^\(this node\) +railiance01 +up +5 of 5 +now/m);
    expect(stdout).toMatch(/^coulombcore +coulombcore +up +2 of 2 +now/m);
    expect(stdout).toMatch(/^bare +- +no answer +- +never/m);
    expect(stdout).toMatch(/^bare: no answer: .*refused.*\n {2}fix: /m);
    expect(stdout).not.toMatch(RAW);
    const json = await runCli(['fleet', '--json', '--config', near.configFile]);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout).nodes).toHaveLength(3);
    expect(json.stdout).not.toMatch(RAW);
    const nobody = await runCli(['fleet', '--endpoint', `127.0.0.1:${await freePort()}`]);
    expect(nobody).toMatchObject({ code: 2, stderr: expect.stringContaining('the daemon is not running') });
  });

  it('is a list of targets for Prometheus, whose address answers', async () => {
    const { headers, body } = await near.daemon.get('/sd');
    expect(headers['content-type']).toMatch(/^application\/json(; charset=utf-8)?$/);
    const target = `127.0.0.1:${near.port('scrape')}`;
    expect(JSON.parse(body)).toEqual([
      {
        targets: [target],
        labels: expect.objectContaining({ node: 'coulombcore', __meta_fleet_mesh_via: 'tunnel' }),
      },
    ]);
    const metrics = await fetch(`http://${target}/metrics`);
    expect(await metrics.text()).toContain('node="coulombcore"');
  });

  it.skipIf(prometheus === undefined)(
    'is scraped by a real Prometheus with the configuration of the documentation',
    async () => {
      using directory = tempDir('fleet-sd');
      const port = await freePort();
      const [, documented = ''] =
        /```yaml\n(scrape_configs:.*?)```/s.exec(readFileSync('docs/alerts.md', 'utf8')) ?? [];
      const own = documented.replaceAll('127.0.0.1:9780', `127.0.0.1:${near.endpointPort}`).replace('1m', '1s');
      writeFileSync(join(directory.path, 'prometheus.yml'), `global: { scrape_interval: 1s }\n${own}`);
      const server = spawnOwned(
        prometheus ?? '',
        [
          `--config.file=${join(directory.path, 'prometheus.yml')}`,
          `--storage.tsdb.path=${join(directory.path, 'data')}`,
          `--web.listen-address=127.0.0.1:${port}`,
        ],
        { stdio: 'ignore' },
      );
      try {
        const query = async () =>
          JSON.parse((await httpGet(`http://127.0.0.1:${port}/api/v1/query?query=fleet_mesh_build_info`)).body).data
            .result;
        const found: { metric: Record<string, string> }[] = await waitUntil('both nodes are scraped', async () => {
          const result = await query().catch(() => []);
          return result.length === 2 ? result : undefined;
        });
        const instance = `127.0.0.1:${near.port('scrape')}`;
        const scraped = { instance, node: 'coulombcore', exported_node: 'coulombcore' };
        expect(found.map(({ metric }) => metric)).toContainEqual(expect.objectContaining(scraped));
      } finally {
        await server.stop('SIGKILL');
      }
      // Prometheus is a client of this tunnel, as the documentation says.
      const { tunnels } = await near.daemon.status();
      expect(tunnels.find(({ name }) => name === 'scrape')?.usage.opened_total).toBeGreaterThan(0);
    },
  );

  it('shows the time of the last answer of a daemon that has stopped, which stays a target', async () => {
    const before = (await nodeOf('coulombcore')).answered_at;
    await far[Symbol.asyncDispose]();
    const gone = await waitUntil(
      'the daemon is asked again',
      async () => {
        const node = await nodeOf('coulombcore');
        return node.answers ? undefined : node;
      },
      30_000,
    );
    expect(gone).toMatchObject({ node: 'coulombcore', state: null, tunnels: null, error: { code: 'target_refused' } });
    expect(Date.parse(gone.answered_at)).toBeGreaterThanOrEqual(Date.parse(before));
    expect(JSON.parse((await near.daemon.get('/sd')).body)).toHaveLength(1);
    // The link and its tunnels know nothing of this.
    expect((await near.daemon.status()).state).toBe('up');
  });

  it('names the fix if the host permits no channel to the endpoint, and harms no tunnel', async () => {
    await using strict = await startSshd({ extraConfig: [`PermitOpen 127.0.0.1:${echo.port}`] });
    await using mesh = await startMesh({ sshd: strict, tunnels: { echo: { target: echo.port, production: true } } });
    await mesh.waitForTunnel('up', 'echo');
    const { nodes } = JSON.parse((await mesh.daemon.get('/fleet')).body);
    expect(nodes).toMatchObject([
      {
        endpoint: '127.0.0.1:9780',
        answers: false,
        error: { code: 'forward_denied', hint: expect.stringContaining('PermitOpen') },
      },
    ]);
    expect(JSON.parse((await mesh.daemon.get('/sd')).body)).toEqual([]);
    const { state, links } = await mesh.daemon.status();
    expect(state).toBe('up');
    expect(links).toMatchObject([{ state: 'up', last_error: null }]);
  });
});
