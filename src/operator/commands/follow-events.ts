import { type IncomingMessage, request } from 'node:http';
import { sleep } from '../../base/async/sleep.ts';
import { formatAddress, type TcpAddress } from '../../base/net/address.ts';
import { type Entry, parseEntry } from '../../retirement/evidence/entry.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { explainFailure, fetchParsed, StatusUnavailable } from './fetch-status.ts';

/** Time between two attempts to reconnect to the daemon, in milliseconds. */
const RETRY_MS = 1_000;
/** The longest silence, in milliseconds: the daemon sends a keepalive every ten seconds. */
const SILENCE_MS = 30_000;

/**
 * Prints new events until the signal aborts. After a lost connection the command reconnects and asks for missed
 * events. Rejects with StatusUnavailable if the first connection fails.
 */
export async function followEvents(
  endpoint: TcpAddress,
  path: string,
  print: (entry: Entry) => void,
  io: CommandIo & { readonly signal: AbortSignal },
): Promise<ExitCode> {
  // A plain request first: it reports a wrong name or time as a normal answer.
  await fetchParsed(endpoint, path, io.signal, () => {});
  let lastId: string | undefined;
  let reported = false;
  while (!io.signal.aborted) {
    try {
      await readStream(endpoint, path, lastId, io.signal, ({ id, data, event }) => {
        reported = false;
        if (event === 'gap') io.err('(some events are missing here: see the files in state_dir)\n');
        const entry = parseEntry(data);
        if (!entry) return;
        lastId = id ?? lastId;
        print(entry);
      });
    } catch (error) {
      if (io.signal.aborted) break;
      if (!reported) io.err(`fleet-mesh: ${explainFailure(error, formatAddress(endpoint))}; trying again\n`);
      reported = true;
    }
    await sleep(RETRY_MS, io.signal).catch(() => {});
  }
  return EXIT.ok;
}

interface Message {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: string;
}

/** Settles when the daemon ends the stream. */
function readStream(
  endpoint: TcpAddress,
  path: string,
  lastId: string | undefined,
  signal: AbortSignal,
  onMessage: (message: Message) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const { host, port } = endpoint;
    const resume = lastId === undefined ? {} : { 'last-event-id': lastId };
    const headers = { accept: 'text/event-stream', ...resume };
    const asked = request({ host, port, path, agent: false, headers, timeout: SILENCE_MS });
    const onAbort = () => asked.destroy(new StatusUnavailable('interrupted'));
    signal.addEventListener('abort', onAbort, { once: true });
    asked.on('timeout', () => asked.destroy(new StatusUnavailable('the daemon stopped responding')));
    asked.on('error', reject);
    asked.on('close', () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    asked.on('response', (response) => {
      response.on('error', reject);
      if (response.statusCode === 200) readMessages(response, onMessage);
      else asked.destroy(new StatusUnavailable(`the daemon answered ${response.statusCode}`));
    });
    asked.end();
  });
}

function readMessages(response: IncomingMessage, onMessage: (message: Message) => void): void {
  let rest = '';
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      const data = field('data');
      if (data !== undefined) onMessage({ id: field('id'), event: field('event'), data });
    }
  });
}
