import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { Daemon } from '../../../src/daemon/daemon.ts';
import { createLogger } from '../../../src/telemetry/log/log.ts';
import { httpGet } from '../../support/clients/http-get.ts';
import { pythonClient } from '../../support/clients/python-client.ts';
import { type FleetConfig, writeFleetConfig } from '../../support/fakes/fleet-config.ts';
import { expectNoLeaks, type Holdings, takeBaseline } from '../../support/machine/leaks.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../support/peers/embedded-sshd.ts';
import { freePort, type LoopbackServer } from '../../support/peers/loopback.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil, within } from '../../support/wait-until.ts';

const never = new AbortController().signal;
/** One logger for all tests, because each logger keeps standard error open. */
const log = createLogger({ level: 'fatal' });
let baseline: Holdings;
let sshd: EmbeddedSshd;
let echo: LoopbackServer;
let fleet: FleetConfig;
let path: string;
let listen: number;
let daemon: Daemon;

beforeEach(async () => {
  baseline = await takeBaseline(50);
  sshd = await startEmbeddedSshd();
  echo = await startEcho();
  listen = await freePort();
  fleet = {
    endpointPort: await freePort(),
    host: { port: sshd.port, user: sshd.user, known_hosts: sshd.knownHostsFile },
    actor: { key: sshd.clientKeyFile },
    tunnels: { hub: { listen: `127.0.0.1:${listen}`, target: `127.0.0.1:${echo.port}` } },
  };
  path = writeFleetConfig(sshd.directory, fleet);
  daemon = new Daemon({ config: await loadConfig(path, process.env), version: '0' }, log);
  await daemon.start();
  await waitUntil('both sessions are up', () => sshd.connections.size === 2);
});
afterEach(async () => {
  await within('the daemon stops', daemon.stop(never), 15_000);
  await echo.stop();
  await sshd[Symbol.asyncDispose]();
  await expectNoLeaks(baseline);
});

const serves = async (port: number) => (await httpGet(`http://127.0.0.1:${port}/livez`)).status === 200;
const carries = async () => {
  const end = await pythonClient({ port: listen, send: 'hello', endAfterSend: true });
  return end.end === 'fin' && end.head === 'hello';
};

it('forwards connections and reports status', async () => {
  expect(await carries()).toBe(true);
  expect(await serves(fleet.endpointPort)).toBe(true);
  expect(daemon.snapshot()).toMatchObject({ state: 'up', reason: null, config: { last_reload: null } });
});

it.each([
  ['a file that is no YAML', 'tunnels: ['],
  ['a file with a mistake', 'version: 1\nnode: nobody\n'],
])('rejects a reload of %s with the reason and changes nothing', async (_, text) => {
  const before = daemon.snapshot();
  writeFileSync(path, text);
  await daemon.reload();
  const after = daemon.snapshot();
  expect(after.config).toEqual({
    ...before.config,
    last_reload: { ok: false, at: expect.any(Date), error: expect.stringMatching(/./) },
  });
  expect(after.tunnels.map(({ name }) => name)).toEqual(['hub']);
  expect(sshd.accepted()).toBe(2);
  expect(await carries()).toBe(true);
});

it('moves the endpoint on reload and keeps all sessions', async () => {
  const port = await freePort();
  writeFleetConfig(sshd.directory, { ...fleet, endpointPort: port });
  await daemon.reload();
  expect(daemon.snapshot().config.last_reload).toMatchObject({ ok: true, error: null });
  expect(await serves(port)).toBe(true);
  await expect(serves(fleet.endpointPort)).rejects.toThrow();
  expect(sshd.accepted()).toBe(2);
});

it('keeps the endpoint and everything else if the new address cannot be bound', async () => {
  const tunnels = { other: { listen: `127.0.0.1:${await freePort()}`, target: `127.0.0.1:${echo.port}` } };
  writeFleetConfig(sshd.directory, { ...fleet, endpointPort: echo.port, tunnels });
  await daemon.reload();
  expect(daemon.snapshot().config.last_reload).toMatchObject({ ok: false });
  expect(await serves(fleet.endpointPort)).toBe(true);
  expect(daemon.snapshot().tunnels.map(({ name }) => name)).toEqual(['hub']);
});

it('moves the endpoint to an address that overlaps the old one', async () => {
  const endpoint = { listen: `0.0.0.0:${fleet.endpointPort}`, allow_remote: true };
  writeFleetConfig(sshd.directory, { ...fleet, extra: { endpoint } });
  await daemon.reload();
  expect(daemon.snapshot().config.last_reload).toMatchObject({ ok: true, error: null });
  expect(await serves(fleet.endpointPort)).toBe(true);
});

it('answers requests for the new name of a renamed node', async () => {
  const named = (name: string) =>
    httpGet(`http://127.0.0.1:${fleet.endpointPort}/livez`, { headers: { host: name } }).then(({ status }) => status);
  expect([await named('railiance01'), await named('coulombcore')]).toEqual([200, 403]);
  writeFleetConfig(sshd.directory, { ...fleet, extra: { node: 'coulombcore' } });
  await daemon.reload();
  expect([await named('railiance01'), await named('coulombcore')]).toEqual([403, 200]);
});

it('applies allow_remote without moving the endpoint', async () => {
  const endpoint = { listen: `127.0.0.1:${fleet.endpointPort}`, allow_remote: true };
  writeFleetConfig(sshd.directory, { ...fleet, extra: { endpoint } });
  await daemon.reload();
  expect(daemon.snapshot().config.last_reload).toMatchObject({ ok: true, error: null });
  expect(await serves(fleet.endpointPort)).toBe(true);
});

it('runs concurrent reloads one after the other', async () => {
  await Promise.all(Array.from({ length: 10 }, () => daemon.reload()));
  expect(daemon.snapshot().config.last_reload).toMatchObject({ ok: true });
  expect(sshd.accepted()).toBe(2);
  expect(await carries()).toBe(true);
});

it('ends reload and daemon on a stop during a reload', async () => {
  const reloading = daemon.reload();
  await within('the daemon stops', daemon.stop(never));
  await reloading;
});
