import { requireProgram } from '../machine/find-program.ts';
import { spawnOwned } from '../machine/owned-process.ts';
import { waitUntil } from '../wait-until.ts';

/**
 * Listens on a port of its own, and resets clients right after their accept, with nothing said or read. A probe comes
 * alone, and must see an accept only. Clients come many at once. So a connection waits for a second one, and from then on
 * all are reset at once.
 */
const SCRIPT = `
import socket, struct
listener = socket.create_server(('127.0.0.1', 0), backlog=512)
print(listener.getsockname()[1], flush=True)
def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    peer.close()
def left(peer):
    try: return peer.recv(1, socket.MSG_DONTWAIT) == b''
    except BlockingIOError: return False
    except OSError: return True
waiting, crowd = [], False
while True:
    peer, _ = listener.accept()
    waiting = [other for other in waiting if not left(other)]
    crowd = crowd or len(waiting) > 0
    waiting.append(peer)
    if crowd:
        for one in waiting: reset(one)
        waiting = []
`;

/** A process of its own: a test that is busy must not make a server late that resets at once. */
export async function startResettingServer(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = spawnOwned(requireProgram('python3'), ['-I', '-u', '-c', SCRIPT]);
  const port = await waitUntil('the server listens', () => Number(server.stdout()) || undefined);
  return { port, [Symbol.asyncDispose]: async () => void (await server.stop('SIGKILL')) };
}
