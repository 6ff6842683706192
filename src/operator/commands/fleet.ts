import { type FleetAnswer, fleetAnswer } from '../fleet/answer.ts';
import { fleetText } from '../text/fleet.ts';
import { EXIT, type ExitCode } from './command.ts';
import { fetchParsed, parseJson, StatusUnavailable } from './fetch-status.ts';
import { type EndpointOptions, findEndpoint, notAnEndpoint } from './find-endpoint.ts';
import type { StatusIo } from './status.ts';

/** The daemon asks every node before it answers. In milliseconds. */
const DEADLINE_MS = 20_000;

/** `fleet-mesh fleet [--json]`: the nodes that the links reach, in one table. Settles with the exit code; never rejects. */
export async function fleet(options: EndpointOptions & { readonly json: boolean }, io: StatusIo): Promise<ExitCode> {
  const endpoint = await findEndpoint(options, io.err);
  if (endpoint === undefined) {
    io.err(notAnEndpoint(options));
    return EXIT.usage;
  }
  try {
    const answer = await fetchParsed(endpoint, '/fleet', io.signal, parse, DEADLINE_MS);
    io.out(options.json ? `${JSON.stringify(answer, null, 2)}\n` : fleetText(answer, io.look()));
    return isWell(answer) ? EXIT.ok : EXIT.failed;
  } catch (error) {
    if (io.signal.aborted) return EXIT.unknown;
    if (!(error instanceof StatusUnavailable)) throw error;
    io.err(`fleet-mesh: ${error.message}\n${error.hint}\n`, 'unreachable');
    return EXIT.unknown;
  }
}

/** Every node answers and is up. */
function isWell({ self, nodes, not_asked }: FleetAnswer): boolean {
  return self.state === 'up' && not_asked.length === 0 && nodes.every(({ state }) => state === 'up');
}

function parse(body: string, where: string): FleetAnswer {
  const parsed = fleetAnswer.safeParse(parseJson(body, where));
  if (parsed.success) return parsed.data;
  throw new StatusUnavailable(`unexpected answer from ${where}: not the fleet of fleet-mesh`, { cause: parsed.error });
}
