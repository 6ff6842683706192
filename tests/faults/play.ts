import { expect } from 'vitest';
import { type PythonClient, startPythonClient } from '../support/clients/python-client.ts';
import { startRequestLoop } from '../support/clients/request-loop.ts';
import { hasSessions } from '../support/daemon/mesh.ts';
import { type DaemonHoldings, daemonHoldings, expectNothingLeaked } from '../support/machine/daemon-holdings.ts';
import { patient } from '../support/patience.ts';
import { pacedPrefixDigest } from '../support/peers/paced-source.ts';
import { waitUntil, within } from '../support/wait-until.ts';
import { type FaultRow, shows } from './row.ts';
import { type Stage, startStage } from './stage.ts';

/** Plays one row: load, fault, recovery. At the end nothing may be missing or left over. */
export async function play(row: FaultRow): Promise<void> {
  await using stage = await startStage(row.stage);
  const { mesh } = stage;
  const baseline = await leastHoldings(stage);
  await using stream = await openStream(stage);
  const { everyMs, timeoutMs } = row.client ?? { everyMs: 20, timeoutMs: row.requests === 'may fail' ? 3_000 : 30_000 };
  const loop = startRequestLoop(stage.entrance('echo'), everyMs, timeoutMs);
  try {
    const injectedAt = performance.now();
    await loop.atRest(() => row.inject(stage, loop.atRest));
    if (row.during) await mesh.waitFor(shows(row.during), row.during.withinMs);
    const seenMs = performance.now() - injectedAt;
    await row.whileBroken?.(stage);
    await row.heal?.(stage);
    const healedAt = performance.now();
    await mesh.waitFor(
      (status) =>
        hasSessions(stage.sessions)(status) &&
        status.tunnels.every(({ state }) => state === 'up') &&
        loop.lastServedAt() > healedAt,
      row.recoversWithinMs,
    );
    const recoveredMs = performance.now() - healedAt;
    await expectStream(row, stage, stream);
    const { served, failures, slowestMs } = await loop.stop();
    process.stderr.write(
      `matrix: ${row.fault} | seen ${ms(row.during ? seenMs : undefined)} | recovered ${ms(recoveredMs)} | ` +
        `${served} served, ${failures.length} failed, slowest ${ms(slowestMs)} | stream ${row.stream}\n`,
    );
    if (row.requests === 'are all served') expect(failures, 'failed requests').toEqual([]);
    if (row.slowestBelowMs !== undefined) expect(slowestMs).toBeLessThan(patient(row.slowestBelowMs));
    await expectNothingLeaked(mesh, baseline);
  } finally {
    await loop.stop();
    row.cleanUp?.(stage);
  }
}

/**
 * A stream on the oldest session, which the rows strike. On a busy machine a slow session may leave its client to the other
 * one: then the stream is opened again.
 */
async function openStream(stage: Stage, attempts = 20): Promise<PythonClient> {
  const entrance = stage.entrance('stream');
  const send = entrance.preface?.said ?? '';
  const stream = startPythonClient({ ...entrance.at, send, timeoutMs: 250_000 });
  try {
    await stream.received(1 + (entrance.preface?.heard.length ?? 0));
    const { links } = await stage.mesh.daemon.status();
    const [oldest] = links.find(({ host }) => host === 'coulombcore')?.sessions ?? [];
    if (oldest?.connections !== 0 || stage.tunnels.stream.direction === 'remote') return stream;
    if (attempts === 1) throw new Error('the oldest session carries no stream');
  } catch (error) {
    await stream[Symbol.asyncDispose]();
    throw error;
  }
  await stream[Symbol.asyncDispose]();
  return openStream(stage, attempts - 1);
}

/** A stream is complete, or a prefix that ends with a reset: never altered, never short with a clean end. */
async function expectStream({ stream: fate }: FaultRow, stage: Stage, client: PythonClient): Promise<void> {
  stage.source.finish();
  const result = await within('the stream ends', client.result, 20_000);
  const heard = stage.entrance('stream').preface?.heard ?? Buffer.alloc(0);
  const bytes = result.bytes - heard.length;
  expect(result.sha256, 'what arrived is what was sent').toBe(pacedPrefixDigest(bytes, heard));
  if (fate === 'is cut') return;
  if (result.end === 'fin') expect(bytes, 'a clean end is the end').toBe((await stage.source.sent).bytes);
  expect(result.end).toBe(fate === 'survives' ? 'fin' : 'rst');
}

/**
 * The least of several counts: the status request itself uses descriptors for a moment. A busy machine may lose a session
 * before the fault: a count is of use only if the same sessions, all of them, are there before and after it.
 */
async function leastHoldings({ mesh, sessions }: Stage): Promise<DaemonHoldings> {
  const { links } = await mesh.daemon.status();
  const ids = async () => (await mesh.daemon.status()).links.map((link) => link.sessions.map(({ id }) => id)).join();
  const whole = () =>
    waitUntil('all sessions are there', async () => {
      const before = await ids();
      const now = await daemonHoldings(mesh);
      return now.sessions === sessions * links.length && before === (await ids()) && now;
    });
  let least = await whole();
  for (let round = 0; round < 5; round += 1) {
    const now = await whole();
    if (now.fds < least.fds) least = now;
  }
  return least;
}

function ms(value: number | undefined): string {
  return value === undefined ? '-' : `${Math.round(value)} ms`;
}
