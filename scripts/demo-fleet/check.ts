import { randomUUID } from 'node:crypto';
import { httpGet } from '../../tests/support/clients/http-get.ts';
import type { StandIn } from '../../tests/support/peers/stand-ins.ts';
import { checkCredentials } from './check-credentials.ts';
import { expectThat } from './expect-that.ts';
import { print, say } from './say.ts';
import type { DemoFleet } from './start.ts';
import type { Step } from './step.ts';

const RECOVER_WITHIN_MS = 30_000;

/** Checks the running fleet step by step and adds each step to `passed`; throws at the first failure. */
export async function checkDemo(fleet: DemoFleet, interrupted: AbortSignal, passed: string[]): Promise<void> {
  const step: Step = async (title, proof) => {
    interrupted.throwIfAborted();
    say(title);
    const shown = await proof().catch((error: unknown) => {
      throw new Error(`${title}: ${error instanceof Error ? error.message : error}`, { cause: error });
    });
    print(`   ${shown}`);
    passed.push(`PASS  ${title}: ${shown}`);
  };
  const both = () => Promise.all(tunnels(fleet).map(({ name, ...tunnel }) => carries(name, tunnel)));

  print(await fleet.table());
  if (fleet.coulombcore.ca === undefined) passed.push('SKIP  Certificates: this machine has no sshd');
  else {
    await checkCredentials(fleet, fleet.coulombcore.ca, step, interrupted);
    print(await fleet.table());
  }
  await step('Requests through both tunnels', async () => {
    await both();
    return 'the answers equal those of the test servers, byte for byte';
  });
  await step('A killed SSH session recovers', () => killAndRecover(fleet, both));
  print(await fleet.table());
  await step('/status', () => checkStatus(fleet));
  await step('/metrics', () => checkMetrics(fleet));
  await step('/livez and /readyz', () => checkHealth(fleet));
  await step('SIGTERM', async () => {
    const { code, signal } = await fleet.daemon.stop();
    expectThat(code === 0, `the daemon ended with ${signal ?? `exit code ${code}`}`);
    return 'the daemon ended with exit code 0';
  });
}

interface DemoTunnel {
  readonly name: string;
  readonly port: number;
  readonly standIn: StandIn;
  readonly health: string;
}

function tunnels({ stateHub, issueCore, options: { ports } }: DemoFleet): DemoTunnel[] {
  return [
    { name: 'fleet-state-hub-coulombcore', port: ports.stateHub, standIn: stateHub, health: '/state/health' },
    { name: 'fleet-issue-core-coulombcore', port: ports.issueCore, standIn: issueCore, health: '/healthz' },
  ];
}

/** Only the test server knows the new secret, so an answer with the secret proves the way through the tunnel. */
async function carries(name: string, { port, standIn, health }: Omit<DemoTunnel, 'name'>): Promise<void> {
  const path = `/demo/${randomUUID()}`;
  standIn.set(path, { body: { secret: randomUUID() } });
  for (const each of [path, health]) {
    const through = await httpGet(`http://127.0.0.1:${port}${each}`);
    const direct = await httpGet(`http://127.0.0.1:${standIn.port}${each}`);
    const same = through.status === 200 && through.body === direct.body;
    expectThat(same, `${name} answered ${through.status} ${through.body}, not ${direct.body}`);
  }
}

async function killAndRecover(fleet: DemoFleet, both: () => Promise<unknown>): Promise<string> {
  const before = new Set((await fleet.daemon.status()).links.flatMap((link) => link.sessions.map(({ id }) => id)));
  print(`   ${fleet.coulombcore.killSessions()}`);
  const start = performance.now();
  let refused = 0;
  for (;;) {
    const worked = await both().then(
      () => true,
      () => false,
    );
    if (worked) break;
    refused += 1;
    expectThat(performance.now() - start < RECOVER_WITHIN_MS, `no answer for ${RECOVER_WITHIN_MS / 1000} s`);
  }
  const ms = Math.round(performance.now() - start);
  // Only a new session proves a recovery.
  await fleet.daemon.waitFor(
    ({ state, links }) =>
      state === 'up' &&
      links.every(({ sessions }) => sessions.length > 0 && sessions.every(({ id }) => !before.has(id))),
    RECOVER_WITHIN_MS,
  );
  const lost = refused === 0 ? 'the first request waited' : `${refused} requests were reset before`;
  return `requests work again after ${ms} ms, over a new session (${lost})`;
}

async function checkStatus(fleet: DemoFleet): Promise<string> {
  const status = await fleet.daemon.status();
  const states = status.tunnels.map(({ name, state }) => `${name} ${state}`);
  expectThat(status.schema === 1 && status.state === 'up' && status.reason === null, `the state is ${status.state}`);
  for (const { name } of tunnels(fleet)) expectThat(states.includes(`${name} up`), `${name} is not up: ${states}`);
  return `node ${status.node} is ${status.state}; ${states.join(', ')}`;
}

async function checkMetrics(fleet: DemoFleet): Promise<string> {
  const { status, body } = await fleet.daemon.get('/metrics', { accept: 'text/plain' });
  expectThat(status === 200, `/metrics answered ${status}`);
  for (const { name } of tunnels(fleet)) {
    const isUp = new RegExp(`^fleet_mesh_tunnel_up\\{[^}]*\\btunnel="${name}"[^}]*\\} 1$`, 'm');
    expectThat(isUp.test(body), `fleet_mesh_tunnel_up of ${name} is not 1:\n${upLines(body)}`);
  }
  const own = body.split('\n').filter((line) => line.startsWith('fleet_mesh_'));
  return `${own.length} fleet_mesh samples; fleet_mesh_tunnel_up is 1 for both tunnels`;
}

function upLines(body: string): string {
  return body
    .split('\n')
    .filter((line) => line.startsWith('fleet_mesh_tunnel_up'))
    .join('\n');
}

async function checkHealth(fleet: DemoFleet): Promise<string> {
  for (const path of ['/livez', '/readyz', '/readyz?production=true']) {
    const { status, body } = await fleet.daemon.get(path);
    expectThat(status === 200, `${path} answered ${status} ${body}`);
  }
  return 'each answered 200, also with ?production=true';
}
