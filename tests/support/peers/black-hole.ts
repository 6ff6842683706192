import { requireProgram } from '../machine/find-program.ts';
import { spawnOwned } from '../machine/owned-process.ts';
import { waitUntil } from '../wait-until.ts';

/** A listener on loopback whose queue stays full: the kernel drops every further SYN (listen(2), backlog). */
const PROGRAM = `
import socket, time
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(0)
waiting = []
for _ in range(4):
    each = socket.socket()
    each.setblocking(False)
    each.connect_ex(listener.getsockname())
    waiting.append(each)
print(listener.getsockname()[1], flush=True)
time.sleep(600)
`;

/** A target on loopback that never answers a connection request. Needs python3. */
export async function startBlackHole(): Promise<AsyncDisposable & { readonly port: number }> {
  const process = spawnOwned(requireProgram('python3'), ['-c', PROGRAM]);
  const port = await waitUntil('the black hole is there', () => Number(process.stdout()) || undefined);
  return { port, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}
