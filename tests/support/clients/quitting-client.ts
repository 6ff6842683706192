import { requireProgram } from '../machine/find-program.ts';
import { spawnOwned } from '../machine/owned-process.ts';
import { within } from '../wait-until.ts';

export interface QuittingClientOptions {
  readonly port: number;
  /** Sends so many bytes, or as many as the kernel takes at once. */
  readonly bytes: number;
  /** `reset` sends RST, `close` sends FIN. */
  readonly by: 'reset' | 'close';
}

/**
 * Connects, sends, and gives up at once, so that the end arrives together with the data. Settles with the number of sent
 * bytes. In Python, because Node cannot send a reset right behind data.
 */
export async function quittingClient({ port, bytes, by }: QuittingClientOptions): Promise<number> {
  const python = spawnOwned(requireProgram('python3'), ['-I', '-c', SCRIPT, `${port}`, `${bytes}`, by], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await within('the client gives up', python.exit);
  if (python.child.exitCode !== 0) throw new Error(`the client failed: ${python.stderr()}`);
  return Number(python.stdout());
}

const SCRIPT = `
import socket, struct, sys
port, size, how = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
peer = socket.create_connection(('127.0.0.1', port))
peer.setblocking(False)
sent = 0
try:
    while sent < size: sent += peer.send(b'x' * (size - sent))
except BlockingIOError: pass
if how == 'reset': peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
peer.close()
print(sent)
`;
