import { requireProgram } from '../machine/find-program.ts';
import { spawnOwned } from '../machine/owned-process.ts';
import { waitUntil } from '../wait-until.ts';

/** An echo on loopback whose TCP handshake takes about a second, because its queue is full. */
export interface SlowTarget extends AsyncDisposable {
  readonly port: number;
  /** Connections since the last {@link fill}, its own excluded. */
  accepted(): number;
  /** Fills the queue: the next connections wait until the kernel repeats their first packet, after a second. */
  fill(): Promise<void>;
}

/** In Python, because Node accepts by itself. The line `fill` on its input fills the queue and empties it 0.7 s later. */
const SCRIPT = `
import select, socket, sys, threading, time
server = socket.socket()
server.bind(('127.0.0.1', 0))
server.listen(128)
print('port', server.getsockname()[1], flush=True)
def echo(peer):
    with peer:
        while (data := peer.recv(65536)):
            peer.sendall(data)
emptying = threading.Event()
def fill():
    for line in sys.stdin:
        emptying.clear()
        time.sleep(0.1)
        server.listen(0)
        plug = socket.socket()
        plug.setblocking(False)
        plug.connect_ex(server.getsockname())
        print('filled', flush=True)
        time.sleep(0.7)
        server.listen(128)
        emptying.set()
        time.sleep(0.1)
        plug.close()
threading.Thread(target=fill, daemon=True).start()
emptying.set()
while True:
    emptying.wait()
    if not select.select([server], [], [], 0.02)[0] or not emptying.is_set():
        continue
    peer, _ = server.accept()
    print('accepted', flush=True)
    threading.Thread(target=echo, args=(peer,), daemon=True).start()
`;

export async function startSlowTarget(): Promise<SlowTarget> {
  const python = spawnOwned(requireProgram('python3'), ['-I', '-u', '-c', SCRIPT], { stdio: ['pipe', 'pipe', 'pipe'] });
  python.child.stdin?.on('error', () => {});
  const lines = () => python.stdout().split('\n').slice(0, -1);
  const port = Number(
    await waitUntil(
      'the slow target listens',
      () => lines()[0]?.split(' ')[1],
      0,
      () => python.stderr(),
    ),
  );
  return {
    port,
    accepted: () => {
      const all = lines();
      // The connection that fills the queue is accepted as well.
      return all.slice(all.lastIndexOf('filled')).filter((line) => line === 'accepted').length - 1;
    },
    fill: async () => {
      const before = lines().filter((line) => line === 'filled').length;
      python.child.stdin?.write('fill\n');
      await waitUntil('the queue is full', () => lines().filter((line) => line === 'filled').length > before);
    },
    [Symbol.asyncDispose]: () => python[Symbol.asyncDispose](),
  };
}
