import { requireProgram } from '../machine/find-program.ts';
import { spawnOwned } from '../machine/owned-process.ts';
import { waitUntil } from '../wait-until.ts';

/**
 * Listens on a port of its own, and resets each connection with nothing said or read: the first one after a while, and
 * the others right after their accept.
 */
const SCRIPT = `
import socket, struct, threading
listener = socket.create_server(('127.0.0.1', 0), backlog=512)
print(listener.getsockname()[1], flush=True)
def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    peer.close()
threading.Timer(2, reset, [listener.accept()[0]]).start()
while True: reset(listener.accept()[0])
`;

/** A process of its own: a test that is busy must not make a server late that resets at once. */
export async function startResettingServer(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = spawnOwned(requireProgram('python3'), ['-I', '-u', '-c', SCRIPT]);
  const port = await waitUntil('the server listens', () => Number(server.stdout()) || undefined);
  return { port, [Symbol.asyncDispose]: async () => void (await server.stop('SIGKILL')) };
}
