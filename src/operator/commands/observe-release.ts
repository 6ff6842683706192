import { sleep } from '../../base/async/sleep.ts';
import type { Config } from '../../config/config.ts';
import { type Judgement, type Look, Observation } from '../../machine/install/observation.ts';
import type { Status } from '../../telemetry/status/status.ts';
import { CommandRefused, ControlUnavailable, command } from '../control/client.ts';
import { type ReleaseObserved, recordedResult } from '../control/protocol.ts';
import { fetchStatus, StatusUnavailable } from './fetch-status.ts';
import type { InEvidence } from './tell-plan-edit.ts';

export interface ObserveOptions {
  readonly config: Config;
  readonly observeMs: number;
  /** The last status before the upgrade; undefined: no daemon ran. */
  readonly before: Status | undefined;
  /** Tunnels that must be up. */
  readonly required: readonly string[];
}

const MOST_PAUSE_MS = 5_000;
const LEAST_PAUSE_MS = 250;
/** After a rollback the old daemon starts, and records once its configuration is applied. */
const RECORD_WITHIN_MS = 30_000;

/** The status of the daemon, or why there is none. Rejects only with the signal's reason. */
export async function lookAt({ endpoint: { listen } }: Config, signal: AbortSignal): Promise<Look> {
  try {
    return { status: await fetchStatus(listen, signal) };
  } catch (error) {
    if (error instanceof StatusUnavailable) return { unreachable: error.message };
    throw error;
  }
}

/** Watches the daemon of a new release until the release is promoted or must go. An interrupt counts against the release. */
export async function observeRelease(
  { config, observeMs, before, required }: ObserveOptions,
  interrupted: AbortSignal,
): Promise<Exclude<Judgement, { kind: 'watching' }>> {
  const observation = new Observation({ observeMs, before, required }, performance.now());
  const pauseMs = Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, observeMs / 60));
  try {
    for (;;) {
      const judgement = observation.next(await lookAt(config, interrupted), performance.now());
      if (judgement.kind !== 'watching') return judgement;
      await sleep(pauseMs, interrupted);
    }
  } catch (error) {
    if (!interrupted.aborted) throw error;
    return { kind: 'rolled_back', reasons: ['the observation was interrupted'] };
  }
}

/**
 * Has the running daemon record the outcome: the daemon is the one writer of the evidence. Never fails; an older daemon does not
 * know the command.
 */
export async function recordObserved(socket: string, observed: ReleaseObserved): Promise<InEvidence> {
  const deadline = performance.now() + RECORD_WITHIN_MS;
  for (;;) {
    try {
      const request = { command: 'release_observed', ...observed } as const;
      const { seq } = await command(socket, request, recordedResult, new AbortController().signal);
      return { recorded: true, seq };
    } catch (error) {
      const refused = error instanceof CommandRefused;
      if (!refused && !(error instanceof ControlUnavailable)) throw error;
      const passes = !refused || error.refusal.code === 'not_ready';
      if (!passes || performance.now() >= deadline) return { recorded: false, reason: error.message };
      await sleep(LEAST_PAUSE_MS);
    }
  }
}
