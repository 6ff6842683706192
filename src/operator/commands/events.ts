import type { TcpAddress } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';
import { type Entry, type EventsAnswer, eventsAnswer } from '../../retirement/evidence/entry.ts';
import { parseSince, SINCE_EXPECTED } from '../../retirement/evidence/selection.ts';
import { entryText, foldReloads } from '../text/events.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { fetchParsed, fetchStatus, parseJson, Refused, StatusUnavailable } from './fetch-status.ts';
import { type EndpointOptions, findEndpoint, notAnEndpoint } from './find-endpoint.ts';
import { followEvents } from './follow-events.ts';

export interface EventsOptions extends EndpointOptions {
  readonly tunnel?: string | undefined;
  /** As written: a time or a span before now. */
  readonly since?: string | undefined;
  readonly json: boolean;
  readonly follow: boolean;
}

export type EventsIo = CommandIo & { readonly signal: AbortSignal };

/** `fleet-mesh events [--follow]`: prints past events, and with `--follow` new events until Ctrl-C. */
export async function events(options: EventsOptions, io: EventsIo): Promise<ExitCode> {
  const now = new Date();
  const since = options.since === undefined ? undefined : parseSince(options.since, now);
  if (options.since !== undefined && since === undefined) {
    io.err(`fleet-mesh: expected --since with ${SINCE_EXPECTED}\n`);
    return EXIT.usage;
  }
  const endpoint = await findEndpoint(options, io.err);
  if (endpoint === undefined) {
    io.err(notAnEndpoint(options));
    return EXIT.usage;
  }
  const path = pathFor(options.tunnel, since);
  const print = (entry: Entry) => io.out(options.json ? `${JSON.stringify(entry)}\n` : `${entryText(entry)}\n`);
  try {
    if (options.follow) return await followEvents(endpoint, path, print, io);
    return await list(endpoint, path, options, print, io);
  } catch (error) {
    if (io.signal.aborted) return EXIT.ok;
    if (!(error instanceof StatusUnavailable)) throw error;
    const hint = error.hint === '' ? '' : `${error.hint}\n`;
    const isUnknown = error instanceof Refused && error.code === 'no_such_tunnel';
    io.err(`fleet-mesh: ${printable(error.message)}\n${hint}`, isUnknown ? 'unknown_tunnel' : 'unreachable');
    return isUnknown ? EXIT.noSuchTunnel : EXIT.unknown;
  }
}

async function list(
  endpoint: TcpAddress,
  path: string,
  { json }: EventsOptions,
  print: (entry: Entry) => void,
  io: EventsIo,
): Promise<ExitCode> {
  const answer = await fetchParsed(endpoint, path, io.signal, parseAnswer);
  if (json) {
    io.out(`${JSON.stringify(answer, null, 2)}\n`);
    return EXIT.ok;
  }
  for (const entry of foldReloads(answer.events)) print(entry);
  if (!answer.complete) io.err('(older events are in the files of state_dir)\n');
  io.err(await missing(endpoint, io));
  return EXIT.ok;
}

/** A full disk must not look like a quiet night. Empty if the evidence is written. */
async function missing(endpoint: TcpAddress, { signal }: EventsIo): Promise<string> {
  const status = await fetchStatus(endpoint, signal).catch(() => undefined);
  if (status === undefined || status.evidence.error === null) return '';
  const { waiting, error } = status.evidence;
  const events = waiting === 1 ? '1 newer event waits' : `${waiting} newer events wait`;
  return `(${events} in memory, because the evidence cannot be written: ${printable(error)})\n`;
}

function pathFor(tunnel: string | undefined, since: Date | undefined): string {
  const query = new URLSearchParams();
  if (tunnel !== undefined) query.set('tunnel', tunnel);
  if (since !== undefined) query.set('since', since.toISOString());
  return query.size === 0 ? '/events' : `/events?${query.toString()}`;
}

function parseAnswer(body: string, where: string): EventsAnswer {
  const parsed = eventsAnswer.safeParse(parseJson(body, where));
  if (parsed.success) return parsed.data;
  throw new StatusUnavailable(`unexpected answer from ${where}: not the events of fleet-mesh`, { cause: parsed.error });
}
