import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import ssh2, { type Connection, type ServerChannel, type TcpipRequestInfo } from 'ssh2';
import { tempDir } from '../machine/temp-dir.ts';
import { type HybridManner, speakHybrid } from './embedded-hybrid.ts';
import { embeddedKey, fingerprintOf, publicBlob } from './embedded-key.ts';
import { type ListenManner, listenFor } from './embedded-listen.ts';
import { listenLoopback } from './loopback.ts';

/** How the server answers a request for a channel. */
export type ChannelManner =
  | { readonly kind: 'forward'; readonly delayMs?: number }
  /** Never answers. */
  | { readonly kind: 'ignore' }
  /** RFC 4254 section 5.1: 1 administratively prohibited, 2 connect failed, 3 unknown type, 4 resource shortage. */
  | { readonly kind: 'refuse'; readonly reason: 1 | 2 | 3 | 4; readonly text?: string };

export interface EmbeddedSshdOptions {
  readonly port?: number;
  readonly user?: string;
  readonly channels?: ChannelManner;
  /** Refuses every key. */
  readonly refuseAuth?: boolean;
  /** Exchanges keys by ML-KEM-768 with X25519. Default: classically. */
  readonly hybrid?: HybridManner;
  /** Called after each login. */
  readonly onLogin?: (connection: Connection) => void;
}

export interface EmbeddedSshd extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  readonly directory: string;
  readonly knownHostsFile: string;
  /** OpenSSH format, 0600. */
  readonly clientKeyFile: string;
  /** `SHA256:…` */
  readonly hostKeyFingerprint: string;
  /** Authenticated connections. */
  readonly connections: ReadonlySet<Connection>;
  /** TCP connections so far; and login attempts, one for each key. */
  accepted(): number;
  authAttempts(): number;
  channelRequests(): readonly TcpipRequestInfo[];
  /** From the next request on. */
  setChannels(manner: ChannelManner): void;
  setRefuseAuth(refuse: boolean): void;
  /** How requests to listen here are answered (RFC 4254 section 7.1). Default: granted. */
  setListens(manner: ListenManner): void;
  /** Cuts every connection, by RST if requested. */
  killSessions(how?: 'fin' | 'rst'): number;
  stop(): Promise<void>;
}

/**
 * An SSH server in this process, over ssh2: for machines without sshd, and for faults that OpenSSH cannot produce. Public
 * keys, direct-tcpip and tcpip-forward only. It proves no interoperability: both ends are the same library.
 */
export async function startEmbeddedSshd(options: EmbeddedSshdOptions = {}): Promise<EmbeddedSshd> {
  const { user = 'tegwick', port } = options;
  const temp = tempDir('ssh2');
  const hostKey = embeddedKey();
  const clientKey = embeddedKey();
  const clientBlob = publicBlob(clientKey.public);
  const clientKeyFile = join(temp.path, 'client_key');
  writeFileSync(clientKeyFile, clientKey.private, { mode: 0o600 });
  writeFileSync(`${clientKeyFile}.pub`, `${clientKey.public}\n`);

  let manner: ChannelManner = options.channels ?? { kind: 'forward' };
  let listens: ListenManner = 'bind';
  let refuseAuth = options.refuseAuth ?? false;
  let authAttempts = 0;
  const channelRequests: TcpipRequestInfo[] = [];
  const connections = new Set<Connection>();

  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (client) => {
    if (options.hybrid) speakHybrid(client, options.hybrid);
    client.on('error', () => {});
    client.once('close', () => connections.delete(client));
    client.on('authentication', (context) => {
      if (context.method !== 'publickey') return context.reject(['publickey']);
      authAttempts += 1;
      const known = !refuseAuth && context.username === user && context.key.data.equals(clientBlob);
      // Without a signature the client only asks whether the key is acceptable (RFC 4252 section 7).
      const proven = () =>
        context.signature === undefined ||
        (context.blob !== undefined && verify(clientKey.public, context.blob, context.signature));
      if (known && proven()) context.accept();
      else context.reject(['publickey']);
    });
    client.once('ready', () => {
      connections.add(client);
      options.onLogin?.(client);
    });
    listenFor(client, () => listens);
    client.on('tcpip', (accept, reject, info) => {
      channelRequests.push(info);
      const asked = manner;
      if (asked.kind === 'ignore') return;
      if (asked.kind === 'refuse') return refuse(client, reject, asked.reason, asked.text ?? '');
      const open = () => forward(accept, reject, info);
      if (asked.delayMs === undefined) open();
      else setTimeout(open, asked.delayMs);
    });
  });
  // Its own listener would not tell us the sockets.
  const listener = await listenLoopback((socket) => server.injectSocket(socket), {
    allowHalfOpen: false,
    noDelay: true,
    ...(port === undefined ? {} : { port }),
  });
  const knownHostsFile = join(temp.path, 'known_hosts');
  writeFileSync(knownHostsFile, `[127.0.0.1]:${listener.port} ${hostKey.public}\n`);

  const stop = () => listener.stop();
  return {
    port: listener.port,
    user,
    directory: temp.path,
    knownHostsFile,
    clientKeyFile,
    hostKeyFingerprint: fingerprintOf(hostKey.public),
    connections,
    accepted: listener.accepted,
    authAttempts: () => authAttempts,
    channelRequests: () => channelRequests,
    setChannels: (next) => {
      manner = next;
    },
    setRefuseAuth: (refuse) => {
      refuseAuth = refuse;
    },
    setListens: (next) => {
      listens = next;
    },
    killSessions: (how = 'fin') => {
      const count = listener.sockets.size;
      for (const socket of listener.sockets) how === 'rst' ? socket.resetAndDestroy() : socket.destroy();
      return count;
    },
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      temp[Symbol.dispose]();
    },
  };
}

function verify(publicKey: string, blob: Buffer, signature: Buffer): boolean {
  const key = ssh2.utils.parseKey(publicKey);
  return !(key instanceof Error) && key.verify(blob, signature) === true;
}

function forward(accept: () => ServerChannel, reject: () => void, { destIP, destPort }: TcpipRequestInfo): void {
  const target: Socket = connect({ host: destIP, port: destPort, allowHalfOpen: true, noDelay: true });
  target.once('error', reject);
  target.once('connect', () => {
    target.off('error', reject);
    const channel = accept();
    // An error on one side destroys the other; an orderly end passes through pipe(), one direction at a time.
    target.on('error', () => channel.close());
    channel.on('error', () => target.destroy());
    channel.once('close', () => target.destroy());
    // ssh2's server closes a channel as soon as its own side has ended; sshd(8) waits for both sides, and so do we.
    (channel as unknown as { server: boolean }).server = false;
    let open = 2;
    const sideEnded = () => --open === 0 && channel.close();
    channel.once('end', sideEnded).once('finish', sideEnded);
    channel.pipe(target).pipe(channel);
  });
}

/** ssh2's `reject()` always sends reason 2: during that call, the packet writer gets another reason. */
function refuse(client: Connection, reject: () => void, reason: number, text: string): void {
  const protocol = (client as unknown as { _protocol: ChannelOpenFail })._protocol;
  const send = protocol.channelOpenFail;
  protocol.channelOpenFail = (recipient) => send.call(protocol, recipient, reason, text);
  try {
    reject();
  } finally {
    protocol.channelOpenFail = send;
  }
}

interface ChannelOpenFail {
  channelOpenFail(recipient: number, reason: number, text: string): void;
}
