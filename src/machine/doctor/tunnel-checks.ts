import { abortable, withDeadline } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import type { HostConfig, ProbeConfig, TunnelConfig } from '../../config/config.ts';
import type { ChannelSource } from '../../tunnels/channel/channel-source.ts';
import { dialTarget } from '../../tunnels/forward/dial-target.ts';
import { look } from '../../tunnels/forward/remote/proof.ts';
import { explainRefusal } from '../../tunnels/forward/remote/refusal.ts';
import type { LinkSession } from '../../tunnels/link/session.ts';
import { runCheck, unanswered } from '../../tunnels/probe/check.ts';
import { type Finding, failed, type StepName } from './finding.ts';

/** The address that the server sees as the client: a check has no client. */
const ORIGINATOR = { address: '127.0.0.1', port: 0 } as const;

/** Checks whether the server allows the forward and whether the target answers. Never rejects. */
export function checkTunnel(
  tunnel: TunnelConfig,
  host: HostConfig,
  session: LinkSession,
  signal: AbortSignal,
): Promise<Finding[]> {
  switch (tunnel.direction) {
    case 'local':
      return checkLocal(tunnel, tunnel.target, session, signal);
    case 'remote':
      return checkRemote(tunnel, tunnel.target, host, session, signal);
    case 'dynamic':
      return Promise.resolve([
        skipped('forward', tunnel, `each client of ${tunnel.name} chooses its destination: nothing to test`),
      ]);
  }
}

async function checkLocal(
  tunnel: TunnelConfig,
  target: Address,
  session: LinkSession,
  signal: AbortSignal,
): Promise<Finding[]> {
  const since = performance.now();
  try {
    const channel = await session.open(target, ORIGINATOR, signal);
    channel.stream.on('error', () => {});
    channel.close();
  } catch (thrown) {
    const error = TunnelError.from(thrown);
    // A failure of the target proves that the server allows the forward.
    const allowed = error.code === 'target_refused' || error.code === 'target_unreachable';
    if (!allowed)
      return [failed('forward', error, tunnel.name), skipped('target', tunnel, 'not checked: the forward failed')];
    return [mayForward(tunnel, target), failed('target', error, tunnel.name)];
  }
  const reached = ok('target', tunnel, `${formatAddress(target)} accepts connections`, since);
  const source: ChannelSource = {
    ready: true,
    whenReady: async () => {},
    open: (to, from, bounded) => session.open(to, from, bounded),
  };
  return [mayForward(tunnel, target), await probed(tunnel, target, source, reached, signal)];
}

/** Checks the listener on the host, and the target from this node. */
async function checkRemote(
  tunnel: TunnelConfig,
  target: Address,
  host: HostConfig,
  session: LinkSession,
  signal: AbortSignal,
): Promise<Finding[]> {
  const since = performance.now();
  const near = await dialTarget(target, signal).then(
    (socket) => {
      socket.destroy();
      return ok('target', tunnel, `${formatAddress(target)} accepts connections on this node`, since);
    },
    (error: unknown) => failed('target', error, tunnel.name),
  );
  return [await checkListener(tunnel, host, session, signal), near];
}

/** Binds the address briefly. An address in use is no failure: usually the daemon itself listens there. */
async function checkListener(
  { name, listen }: TunnelConfig,
  host: HostConfig,
  session: LinkSession,
  signal: AbortSignal,
): Promise<Finding> {
  const where = `${formatAddress(listen)} on ${host.name}`;
  const listener = session.listener(listen, (incoming) => incoming.reject());
  try {
    await listener.bind(signal);
    await listener.cancel();
    return { step: 'forward', tunnel: name, verdict: 'ok', detail: `the server may listen on ${where}` };
  } catch (thrown) {
    const cause = TunnelError.from(thrown);
    if (cause.code !== 'remote_listen_denied') return failed('forward', cause, name);
    const seen = await look(session, listen, signal);
    if (seen === 'answers') {
      const detail = `${where} is in use: by the running daemon, if \`fleet-mesh status ${name}\` says that it is up`;
      return { step: 'forward', tunnel: name, verdict: 'skipped', detail };
    }
    return failed('forward', explainRefusal({ listen, host: host.name, look: seen, lostMs: undefined, cause }), name);
  } finally {
    listener.release();
  }
}

/** Runs the probe of the tunnel once: an open port does not prove a working service. */
async function probed(
  tunnel: TunnelConfig,
  target: Address,
  source: ChannelSource,
  reached: Finding,
  signal: AbortSignal,
): Promise<Finding> {
  const { probe } = tunnel;
  if (!probe) return reached;
  const since = performance.now();
  try {
    await runOnce(probe, source, target, signal);
    return ok('target', tunnel, `${formatAddress(target)} passes the probe`, since);
  } catch (error) {
    return failed('target', error, tunnel.name);
  }
}

function runOnce(probe: ProbeConfig, source: ChannelSource, target: Address, signal: AbortSignal): Promise<void> {
  const expired = () => unanswered(probe.check, probe.timeoutMs);
  return withDeadline(probe.timeoutMs, signal, expired, (bounded) =>
    abortable(runCheck(probe.check, source, target, bounded), bounded),
  );
}

function mayForward({ name }: TunnelConfig, target: Address): Finding {
  return { step: 'forward', tunnel: name, verdict: 'ok', detail: `channels to ${formatAddress(target)} are allowed` };
}

function ok(step: StepName, { name }: TunnelConfig, detail: string, since: number): Finding {
  return { step, tunnel: name, verdict: 'ok', detail, ms: Math.round(performance.now() - since) };
}

function skipped(step: StepName, { name }: TunnelConfig, detail: string): Finding {
  return { step, tunnel: name, verdict: 'skipped', detail };
}
