import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prometheusTarget } from '../../../src/machine/install/prometheus-target.ts';
import { httpGet } from '../../support/clients/http-get.ts';
import { echoOnce } from '../../support/clients/steady-client.ts';
import { type CertifiedLab, startCertifiedLab } from '../../support/daemon/certified-mesh.ts';
import { runCli } from '../../support/daemon/daemon.ts';
import type { Mesh } from '../../support/daemon/mesh.ts';
import { planYaml, wave } from '../../support/fakes/plan-fixture.ts';
import { has } from '../../support/machine/capabilities.ts';
import { type OwnedProcess, spawnOwned } from '../../support/machine/owned-process.ts';
import { findPrometheus } from '../../support/machine/prometheus.ts';
import { type TempDir, tempDir } from '../../support/machine/temp-dir.ts';
import { freePort, type LoopbackServer } from '../../support/peers/loopback.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

const prometheus = findPrometheus('prometheus');

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat?: string }[];
  readonly panels?: readonly Panel[];
}

const dashboard: Panel = JSON.parse(readFileSync('config/grafana/dashboards/fleet-mesh.json', 'utf8'));
const PANELS = (dashboard.panels ?? []).flatMap((panel) => [panel, ...(panel.panels ?? [])]);

interface Series {
  readonly metric: object;
  readonly value: readonly [at: number, value: string];
}

interface Alert {
  readonly labels: { readonly alertname: string };
  readonly annotations: object;
  readonly state: string;
}

describe.skipIf(prometheus === undefined || !has('sshd'))('a real Prometheus server', () => {
  let directory: TempDir;
  let lab: CertifiedLab;
  let echo: LoopbackServer;
  let mesh: Mesh;
  let api: string;
  let server: OwnedProcess;

  /** The shipped rules, with every wait cut to a second: a test cannot wait for minutes. */
  const quickRules = () =>
    readFileSync('config/prometheus/fleet-mesh.rules.yml', 'utf8').replace(/^( +)for: \S+$/gm, '$1for: 1s');
  const ask = async (path: string) => JSON.parse((await httpGet(`${api}${path}`)).body).data;
  const alerts = async (): Promise<readonly Alert[]> => (await ask('/api/v1/alerts')).alerts;
  /** Waits until each query of the panel has an answer, as Grafana would ask it. */
  const showsData = async (title: string) => {
    for (const { expr, legendFormat = '' } of PANELS.find((panel) => panel.title === title)?.targets ?? []) {
      const query = encodeURIComponent(
        expr.replaceAll(/\$(?:instance|tunnel)\b/g, '.*').replaceAll('$__rate_interval', '5m'),
      );
      const series = await waitUntil(`data for ${title}: ${expr}`, async () => {
        const { result } = await ask(`/api/v1/query?query=${query}`);
        // A quantile of nothing is NaN, and Grafana shows no line.
        const found = (result as readonly Series[]).filter(({ value: [, value] }) => value !== 'NaN');
        return found.length > 0 ? found : undefined;
      });
      const labels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
      for (const { metric } of series) expect(Object.keys(metric), expr).toEqual(expect.arrayContaining(labels));
    }
  };
  const firing = async (name: string) =>
    (await alerts()).find(({ labels, state }) => labels.alertname === name && state === 'firing');

  beforeAll(async () => {
    directory = tempDir('prometheus');
    [lab, echo] = await Promise.all([startCertifiedLab(), startEcho()]);
    const probe = { tcp: {}, every: '1s', fall: 1, rise: 1 };
    const drain = { step: '1.1', rollback: 'fleet-mesh up db' };
    writeFileSync(join(lab.sshd.directory, 'plan.yaml'), planYaml({ waves: [wave(1, [], 1)] }));
    mesh = await lab.mesh({
      tunnels: { db: { target: echo.port, production: true, probe, drain } },
      extra: { plan: 'plan.yaml' },
    });
    await mesh.waitForTunnel('up');
    await echoOnce(mesh.port('db'), 'before the first scrape');
    const port = await freePort();
    api = `http://127.0.0.1:${port}`;
    writeFileSync(join(directory.path, 'fleet-mesh.rules.yml'), quickRules());
    // The target comes from the file that an installation writes.
    const target = join(directory.path, 'fleet-mesh.json');
    const listen = { kind: 'tcp', host: '127.0.0.1', port: mesh.endpointPort } as const;
    writeFileSync(target, prometheusTarget({ node: 'here', endpoint: { listen, allowRemote: false } }));
    const config = readFileSync('config/prometheus/prometheus.yml', 'utf8')
      .replaceAll('15s', '500ms')
      .replace(/static_configs:\n.*$/m, `file_sd_configs:\n      - files: ['${target}']`);
    expect(config).toContain(target);
    writeFileSync(join(directory.path, 'prometheus.yml'), config);
    server = spawnOwned(
      prometheus ?? '',
      [
        `--config.file=${join(directory.path, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(directory.path, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
    await waitUntil(
      'Prometheus scrapes the daemon',
      async () => (await ask('/api/v1/query?query=fleet_mesh_tunnel_up').catch(() => undefined))?.result.length === 1,
    );
  });
  afterAll(async () => {
    await server.stop('SIGKILL');
    await mesh[Symbol.asyncDispose]();
    await echo.stop();
    await lab[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  it('loads every rule without an error, and fires no alert while all is well', async () => {
    const rulesOf = async (): Promise<readonly { name: string; health: string; lastError?: string }[]> =>
      (await ask('/api/v1/rules')).groups[0].rules;
    await waitUntil('all rules were evaluated', async () =>
      (await rulesOf()).every(({ health }) => health !== 'unknown'),
    );
    expect((await rulesOf()).filter(({ health }) => health !== 'ok')).toEqual([]);
    // The daemon counts as gone until the first scrape.
    await waitUntil('no alert is left', async () => (await alerts()).length === 0);
  });

  it('has every metric of rules and dashboard on the live page', async () => {
    const { body: page } = await mesh.daemon.get('/metrics', { accept: 'text/plain' });
    const known = new Set([...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
    const text =
      readFileSync('config/prometheus/fleet-mesh.rules.yml', 'utf8') +
      readFileSync('config/grafana/dashboards/fleet-mesh.json', 'utf8');
    const named = new Set([...text.matchAll(/\b(?:fleet_mesh|process)_[a-z_]+/g)].map(([name]) => name));
    expect(named.size).toBeGreaterThan(30);
    expect([...named].filter((name) => !known.has(name.replace(/_bucket$/, '')))).toEqual([]);
  });

  it('fires FleetMeshTunnelDown when the server is stopped, and resolves the alert when the server is back', async () => {
    await lab.sshd.stop();
    const alert = await waitUntil('the alert fires', () => firing('FleetMeshTunnelDown'));
    expect(alert).toMatchObject({
      labels: { tunnel: 'db', severity: 'critical' },
      annotations: { summary: 'Tunnel db on here is down' },
    });
    // A client that waits meanwhile.
    const client = connect(mesh.port('db'), '127.0.0.1').on('error', () => {});
    await mesh.waitFor(({ tunnels: [db] }) => db?.usage.held === 1);
    await showsData('Open and held connections');
    await lab.sshd.restart();
    await mesh.waitForTunnel('up', 'db', 40_000);
    await waitUntil('the alert is resolved', async () => (await firing('FleetMeshTunnelDown')) === undefined);
    client.destroy();
  });

  it('answers each query of the dashboard with series that have the labels of its legend', async () => {
    await echoOnce(mesh.port('db'), 'after the first scrape');
    expect(await runCli(['rotate', 'atm-fleet-mesh', '--config', mesh.configFile])).toMatchObject({ code: 0 });
    for (const { title } of PANELS) if (title !== 'Open and held connections') await showsData(title);
    expect(PANELS.length).toBeGreaterThan(30);
  });

  it('fires FleetMeshReloadFailed for a broken file', async () => {
    mesh.writeRaw('version: 1\n  broken');
    await mesh.reload();
    await waitUntil('the alert fires', () => firing('FleetMeshReloadFailed'));
  });
});
