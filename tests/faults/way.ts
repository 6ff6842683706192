import { join } from 'node:path';
import { GREETING, socksAnswer, socksRequest } from '../support/clients/socks-client.ts';
import type { MeshTunnel } from '../support/daemon/mesh.ts';
import type { Entrance } from '../support/peers/entrance.ts';

/** A target of the stage, and the directory for its sockets. */
interface Place {
  readonly tunnel: string;
  readonly directory: string;
  /** Of the target; 0 where it listens on a Unix socket. */
  readonly port: number;
}

/** A kind of tunnel: how it is configured, and how clients get in. */
export interface Way {
  /** Whether the targets listen on Unix sockets, at {@link targetSocket}. */
  readonly unixTargets?: true;
  /** Whether the sessions go through a jump host, which then gets the faults. */
  readonly jump?: true;
  tunnel(place: Place): MeshTunnel;
  /** @param listenPort where the tunnel listens, unless on a socket */
  entrance(place: Place, listenPort: number): Entrance;
}

const atPort = (_: Place, port: number): Entrance => ({ at: { port } });

export const targetSocket = (directory: string, tunnel: string) => join(directory, `${tunnel}-target.sock`);
const listenSocket = ({ directory, tunnel }: Place) => join(directory, `${tunnel}.sock`);

/** `ssh -L`. */
export const LOCAL: Way = { tunnel: ({ port }) => ({ target: port }), entrance: atPort };

/** `ssh -R`: the clients are on the far side, which is this machine as well. */
export const REMOTE: Way = { tunnel: ({ port }) => ({ direction: 'remote', target: port }), entrance: atPort };

/** `ssh -D`. */
export const DYNAMIC: Way = {
  tunnel: ({ port }) => ({ direction: 'dynamic', allow: [`127.0.0.1:${port}`] }),
  entrance: ({ port: target }, port) => ({
    at: { port },
    preface: { said: Buffer.concat([GREETING, socksRequest('127.0.0.1', target)]), heard: socksAnswer(0) },
  }),
};

/** Unix sockets at both ends. */
export const UNIX: Way = {
  unixTargets: true,
  tunnel: (place) => ({
    listen: `unix:${listenSocket(place)}`,
    target: `unix:${targetSocket(place.directory, place.tunnel)}`,
  }),
  entrance: (place) => ({ at: { path: listenSocket(place) } }),
};

/** `ssh -L -J`. */
export const JUMP: Way = { ...LOCAL, jump: true };
