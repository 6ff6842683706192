import type { TcpAddress } from '../../base/net/address.ts';
import { type VerdictAnswer, verdictAnswer } from '../../retirement/drain/answer.ts';
import type { Status } from '../../telemetry/status/status.ts';
import { whyJson, whyText } from '../text/why.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { fetchParsed, fetchStatus, parseJson, StatusUnavailable } from './fetch-status.ts';
import { type EndpointOptions, findEndpoint, notAnEndpoint } from './find-endpoint.ts';
import { unknownTunnel } from './unknown-tunnel.ts';

export interface WhyOptions extends EndpointOptions {
  readonly name: string;
  readonly json: boolean;
}

/** `fleet-mesh why NAME`: explains one tunnel from the daemon's snapshot. Exit codes as for `status NAME`. */
export async function why(options: WhyOptions, io: CommandIo & { readonly signal: AbortSignal }): Promise<ExitCode> {
  const endpoint = await findEndpoint(options, io.err);
  if (endpoint === undefined) {
    io.err(notAnEndpoint(options));
    return EXIT.usage;
  }
  let status: Status;
  try {
    status = await fetchStatus(endpoint, io.signal);
  } catch (error) {
    if (io.signal.aborted) return EXIT.unknown;
    if (!(error instanceof StatusUnavailable)) throw error;
    io.err(`fleet-mesh: ${error.message}\n${error.hint} Without the daemon: \`fleet-mesh doctor\`.\n`, 'unreachable');
    return EXIT.unknown;
  }
  const tunnel = status.tunnels.find(({ name }) => name === options.name);
  if (tunnel === undefined) {
    io.err(`fleet-mesh: ${unknownTunnel(options.name, status)}\n`, 'unknown_tunnel');
    return EXIT.noSuchTunnel;
  }
  const drain = tunnel.retirement === null ? undefined : await fetchDrain(endpoint, options.name, io.signal);
  io.out(
    options.json ? `${JSON.stringify(whyJson(tunnel, status, drain), null, 2)}\n` : whyText(tunnel, status, drain),
  );
  return tunnel.state === 'up' ? EXIT.ok : EXIT.failed;
}

/** The verdict with its reasons. Undefined if the daemon does not give one: the rest of the answer is still useful. */
async function fetchDrain(endpoint: TcpAddress, name: string, signal: AbortSignal): Promise<VerdictAnswer | undefined> {
  const parsed = await fetchParsed(endpoint, `/drain/${encodeURIComponent(name)}`, signal, (body, where) =>
    verdictAnswer.safeParse(parseJson(body, where)),
  ).catch((error: unknown) => {
    if (error instanceof StatusUnavailable || signal.aborted) return undefined;
    throw error;
  });
  return parsed?.data;
}
