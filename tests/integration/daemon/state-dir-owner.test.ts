import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { Daemon } from '../../../src/daemon/daemon.ts';
import { createLogger } from '../../../src/telemetry/log/log.ts';
import { stateDirIn, writeFleetConfig } from '../../support/fakes/fleet-config.ts';
import { freePort, listenLoopback } from '../../support/peers/loopback.ts';

const RETIRED = `${JSON.stringify({
  version: 1,
  tunnels: { other: { at: '2026-01-01T00:00:00.000Z', keeps_port: true, overrides: [] } },
})}\n`;
const CUTOVER = '{"of":"another daemon"}\n';

async function start(prepare: (state: string) => void, endpointPort: number) {
  const directory = await mkdtemp(join(tmpdir(), 'owner-'));
  try {
    const state = stateDirIn(directory, endpointPort);
    mkdirSync(join(state, 'cutover'), { recursive: true, mode: 0o700 });
    writeFileSync(join(state, 'retired.json'), RETIRED, { mode: 0o600 });
    writeFileSync(join(state, 'cutover', 'other.json'), CUTOVER, { mode: 0o600 });
    prepare(state);
    const path = writeFleetConfig(directory, {
      endpointPort,
      host: { port: await freePort(), user: 'nobody', known_hosts: join(directory, 'known_hosts') },
      actor: { key: join(directory, 'key') },
      tunnels: { own: { listen: `127.0.0.1:${await freePort()}`, target: '127.0.0.1:9' } },
    });
    const config = await loadConfig(path, process.env);
    const daemon = new Daemon({ config, version: '0' }, createLogger({ level: 'fatal' }));
    const error = await daemon.start().then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    if (!error) await daemon.stop(AbortSignal.abort());
    expect(readFileSync(join(state, 'retired.json'), 'utf8')).toBe(RETIRED);
    expect(readFileSync(join(state, 'cutover', 'other.json'), 'utf8')).toBe(CUTOVER);
    return error;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test('forgets nothing when the start fails because the endpoint address is taken', async () => {
  const taken = await listenLoopback(() => {});
  try {
    const error = await start(() => {}, taken.port);
    expect(error?.message).toContain(String(taken.port));
  } finally {
    await taken[Symbol.asyncDispose]();
  }
});

test('refuses a state directory of a living daemon by its pid, and touches nothing', async () => {
  const holder = spawn('sleep', ['60']);
  try {
    const stat = readFileSync(`/proc/${holder.pid}/stat`, 'utf8');
    const began = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const error = await start(
      (state) => symlinkSync(`${holder.pid} ${began} ${boot}`, join(state, 'events.lock')),
      await freePort(),
    );
    expect(error?.message).toContain(`pid ${holder.pid}`);
  } finally {
    holder.kill();
  }
});
