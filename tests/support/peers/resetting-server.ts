import { requireProgram } from '../machine/find-program.ts';
import { spawnOwned } from '../machine/owned-process.ts';
import { waitUntil } from '../wait-until.ts';

/** Listens on a port of its own, and resets each connection `afterMs` after its accept, with nothing said or read. */
const SCRIPT = `
import socket, struct, sys, threading
listener = socket.create_server(('127.0.0.1', 0), backlog=512)
print(listener.getsockname()[1], flush=True)
def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    peer.close()
while True:
    peer, _ = listener.accept()
    threading.Timer(float(sys.argv[1]) / 1000, reset, [peer]).start()
`;

/** A process of its own: a test that is busy must not make a server late that resets at once. */
export async function startResettingServer(afterMs: number): Promise<AsyncDisposable & { readonly port: number }> {
  const server = spawnOwned(requireProgram('python3'), ['-I', '-u', '-c', SCRIPT, `${afterMs}`]);
  const port = await waitUntil('the server listens', () => Number(server.stdout()) || undefined);
  return { port, [Symbol.asyncDispose]: async () => void (await server.stop('SIGKILL')) };
}
