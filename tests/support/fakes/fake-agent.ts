import { createServer, type Server } from 'node:net';
import { wireString } from '../../../src/tunnels/ssh/wire.ts';

/** Answers every request with these identities (draft-ietf-sshm-ssh-agent, section 3.5). Does not listen yet. */
export function agentWith(blobs: readonly Buffer[]): Server {
  return createServer((socket) =>
    socket.on('data', () => {
      const count = Buffer.alloc(4);
      count.writeUInt32BE(blobs.length);
      const identities = blobs.flatMap((blob) => [wireString(blob), wireString('')]);
      socket.end(wireString(Buffer.concat([Buffer.of(12), count, ...identities])));
    }),
  );
}
