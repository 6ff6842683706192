import { withDeadline } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';
import type { HostConfig } from '../../config/config.ts';
import { reach } from '../../tunnels/link/reach.ts';
import type { ConnectStep, Route } from '../../tunnels/link/session.ts';
import { explainHandshake } from '../../tunnels/ssh/handshake.ts';
import { PlainReader } from '../../tunnels/ssh/plain-packets.ts';
import type { StepName } from './finding.ts';

/**
 * Connects and reads the banner of the server, without a login. For a host whose known_hosts or credential is unusable: a
 * wrong port or a misspelt name explains more than a missing host key. Rejects with a TunnelError that names the step.
 */
export async function firstLook(
  host: HostConfig,
  route: Route,
  signal: AbortSignal,
  onStep: (step: ConnectStep) => void,
): Promise<void> {
  const transport = await reach(host, route, signal, onStep);
  transport.on('error', () => {});
  onStep({ name: 'banner' });
  const reader = new PlainReader(transport);
  let timedOut = false;
  const expired = () => {
    timedOut = true;
    return new Error('no answer in time');
  };
  const explained = () =>
    explainHandshake({
      step: 'banner',
      peer: `${host.address} port ${host.port}`,
      timedOut,
      stepTimeoutMs: host.connectTimeoutMs,
      hostKey: undefined,
      error: undefined,
      greeting: reader.greeting,
      username: '',
      offered: '',
      ifRejected: undefined,
      disagreement: undefined,
      answer: {},
    });
  try {
    await withDeadline(host.connectTimeoutMs, signal, expired, async (bounded) => {
      bounded.addEventListener('abort', () => transport.destroy());
      await reader.identification();
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof TunnelError ? error : explained();
  } finally {
    transport.destroy();
  }
}

/** The setting to look at when `step` fails, before the general hint. */
export function named(error: TunnelError, { name, address, port }: HostConfig, step: StepName): TunnelError {
  const settings: Partial<Record<string, string>> = {
    dns_failed: `Check the spelling of hosts.${name}.address (${address}).`,
    connect_refused: `Check hosts.${name}.port (${port}): no program listens there.`,
    // After the banner, the program is known to be SSH.
    ...(step === 'banner' && { kex_failed: `Check hosts.${name}.port (${port}).` }),
  };
  const setting = settings[error.code];
  if (setting === undefined) return error;
  return new TunnelError(error.code, error.message, { cause: error, hint: `${setting} ${error.hint}` });
}
