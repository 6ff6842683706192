import { requireProgram } from '../machine/find-program.ts';
import { spawnOwned } from '../machine/owned-process.ts';
import { waitUntil, within } from '../wait-until.ts';

/** How a stream ended, as the kernel told a program that is not built on libuv. */
export interface StreamEnd {
  readonly end: 'fin' | 'rst' | 'refused' | 'timeout';
  readonly bytes: number;
  readonly sha256: string;
  /** The first 4 KiB, as Latin-1. */
  readonly head: string;
  /** Whether sending failed (EPIPE or RST) before everything was out. */
  readonly send_failed: boolean;
}

export interface PythonClientOptions {
  /** Ignored with `path`. */
  readonly port?: number;
  /** A Unix socket. */
  readonly path?: string;
  readonly host?: string;
  readonly send?: string | Buffer;
  /** Half-close once everything is sent. Default: no. */
  readonly endAfterSend?: boolean;
  /** Gives up, and reports 'timeout', after so long. */
  readonly timeoutMs?: number;
}

export interface PythonClient extends AsyncDisposable {
  readonly connected: Promise<void>;
  /** Settles once so many bytes have arrived in all (it reports at each doubling, so this can come a little late). */
  received(bytes: number): Promise<void>;
  readonly result: Promise<StreamEnd>;
}

/**
 * A TCP client without libuv: a Node client can report a clean end where the kernel saw a reset (POLLHUP after a
 * partial read), so only this one can prove that a cut stream is a reset and not a quiet truncation.
 */
export function startPythonClient(options: PythonClientOptions): PythonClient {
  const { port = 0, path = '', host = '127.0.0.1', send = '', endAfterSend = false, timeoutMs = 30_000 } = options;
  const args = ['-I', '-u', '-c', SCRIPT, host, `${port}`, `${timeoutMs / 1000}`, endAfterSend ? 'end' : 'keep', path];
  const python = spawnOwned(requireProgram('python3'), args, { stdio: ['pipe', 'pipe', 'pipe'] });
  python.child.stdin?.on('error', () => {});
  python.child.stdin?.end(send);
  const lines = () =>
    python
      .stdout()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { connected?: true; bytes?: number } & Partial<StreamEnd>);
  const until = (what: string, seen: () => boolean) =>
    waitUntil(what, () => seen() || python.child.exitCode !== null, timeoutMs, python.stderr).then(() => {
      if (!seen()) throw new Error(`the client ended before: ${what}\n${python.stdout()}${python.stderr()}`);
    });
  const result = within('the python client ends', python.exit, timeoutMs + 10_000).then(() => {
    const last = lines().at(-1);
    if (last?.end === undefined) throw new Error(`the python client failed: ${python.stderr()}`);
    return last as StreamEnd;
  });
  result.catch(() => {});
  return {
    get connected() {
      return until('it is connected', () => lines().some((line) => line.connected));
    },
    received: (bytes) => until(`${bytes} bytes`, () => lines().some((line) => (line.bytes ?? 0) >= bytes)),
    result,
    [Symbol.asyncDispose]: async () => {
      await python.stop('SIGKILL');
    },
  };
}

/** Connects, sends, reads to the end, and reports how the stream ended. */
export async function pythonClient(options: PythonClientOptions): Promise<StreamEnd> {
  await using client = startPythonClient(options);
  return await client.result;
}

const SCRIPT = `
import hashlib, json, socket, sys, threading, time
host, port, limit, ending, path = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], sys.argv[5]
payload = sys.stdin.buffer.read()
digest, count, head, failed, reset = hashlib.sha256(), 0, b'', False, False
def say(**what): print(json.dumps(what), flush=True)
def over(how):
    say(end=how, bytes=count, sha256=digest.hexdigest(), head=head.decode('latin-1'), send_failed=failed)
    sys.exit(0)
deadline = time.monotonic() + limit
try:
    if path:
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(path)
    else: peer = socket.create_connection((host, port), timeout=limit)
except ConnectionRefusedError: over('refused')
except ConnectionResetError: over('rst')
except TimeoutError: over('timeout')
say(connected=True)
def send():
    global failed, reset
    try:
        # Even an empty send would take a reset away from recv: the kernel reports it once.
        if payload: peer.sendall(payload)
        if ending == 'end': peer.shutdown(socket.SHUT_WR)
    except ConnectionResetError: failed = reset = True
    except OSError: failed = True
sender = threading.Thread(target=send, daemon=True)
sender.start()
milestone = 1
while True:
    left = deadline - time.monotonic()
    if left <= 0: over('timeout')
    peer.settimeout(left)
    try: chunk = peer.recv(262144)
    except ConnectionResetError: over('rst')
    except TimeoutError: over('timeout')
    if not chunk:
        sender.join(1)
        over('rst' if reset else 'fin')
    count += len(chunk)
    digest.update(chunk)
    if len(head) < 4096: head += chunk[:4096 - len(head)]
    if count >= milestone:
        say(bytes=count)
        while milestone <= count: milestone *= 2
`;
