import type { Client } from 'ssh2';
import { DeadlineTimer } from '../../../base/async/deadline-timer.ts';
import { TunnelError } from '../../../base/errors.ts';
import { MESSAGE } from '../message.ts';
import type { Transport } from '../transport.ts';
import { Incoming, type Opening } from './incoming.ts';
import { LEAST_PACKET, MOST_WINDOW } from './limits.ts';
import { PeerRules, type Traffic, type Verdict } from './peer-rules.ts';
import { signRsaWithSha2 } from './rsa-logins.ts';

/** Bound of a later key exchange, in milliseconds: our data waits in memory meanwhile. */
const REKEY_MS = 60_000;
/** The login needs a few KB, and a banner of the server 256 KiB at most. */
export const MOST_LOGIN_BYTES = 1024 * 1024;

/** What a server tells about logins, as soon as the server tells it. */
interface LoginNews {
  /** The methods that the server wants after a refused login, and whether the credential was accepted. */
  refused(methods: readonly string[], partial: boolean): void;
  /** The server accepts signatures of RSA keys with SHA-1 alone. */
  onlySha1(): void;
}

interface PeerGuardOptions {
  /** Name of the host in errors. */
  readonly peer: string;
}

/** Ends a session whose server breaks the rules, with the error `protocol_error`. */
export class PeerGuard {
  readonly #client: Client;
  readonly #transport: Transport;
  readonly #peer: string;
  readonly #rules = new PeerRules();
  readonly #incoming: Incoming;
  #loggedIn = false;
  /** The server has a signature of ours, and has not answered the login yet. */
  #signed = false;
  #rekeying = false;
  #over = false;
  /** The peer has said goodbye. */
  #said = false;
  #onRekey: (running: boolean) => void = () => {};
  #onGoodbye = () => {};
  #rekeyTimer: DeadlineTimer | undefined;
  /** One function for all messages. */
  readonly #traffic = (): Traffic => {
    const { bytesRead, bytesWritten, writableLength } = this.#transport;
    // During a key exchange, ssh2 keeps the answers: they are not even in the transport.
    const waiting = writableLength + Number(this.#rekeying);
    return { now: performance.now(), received: bytesRead, written: bytesWritten, waiting };
  };

  /** Call this right after `connect()`. Throws `internal` for another version of ssh2. */
  constructor(client: Client, transport: Transport, { peer }: PeerGuardOptions) {
    this.#client = client;
    this.#transport = transport;
    this.#peer = peer;
    this.#incoming = new Incoming(client);
    this.#incoming.judge((type, bytes) => this.#judge(type, bytes));
    this.#watchSignatures();
    this.#watchRequests();
    this.#watchChannels();
    client.on('handshake', () => this.#rekeyed());
    transport.once('close', () => this.#stop());
  }

  /**
   * From now on, a peer answers and rarely asks. `onRekey` is told when a key exchange begins and ends, `onGoodbye` when
   * the peer wants to end the session.
   */
  loggedIn(onRekey: (running: boolean) => void, onGoodbye: () => void): void {
    this.#loggedIn = true;
    this.#onRekey = onRekey;
    this.#onGoodbye = onGoodbye;
  }

  /** Call this before the first byte of the server is read. */
  onLogin({ refused, onlySha1 }: LoginNews): void {
    this.#incoming.watch('USERAUTH_FAILURE', (methods: readonly string[] = [], partial = false) => {
      this.#signed = false;
      if (!this.#loggedIn) refused(methods, partial);
      return true;
    });
    signRsaWithSha2(this.#incoming, onlySha1);
  }

  /** This side begins a key exchange. */
  rekeys(): void {
    this.#exchanges(true);
  }

  /** Ends the session: the peer `does` what no server may do. */
  violation(does: string): void {
    if (this.#over) return;
    this.#stop();
    const error = new TunnelError('protocol_error', `${this.#peer} ${does}`);
    // A peer that does not read would only add to the bytes that wait.
    if (this.#loggedIn && this.#transport.writableLength === 0) this.#incoming.disconnect();
    this.#client.emit('error', error);
    this.#transport.destroy();
  }

  #judge(type: number, bytes: number): 'pass' | 'drop' | 'stop' {
    if (this.#over) return 'stop';
    // Nothing may follow a goodbye (RFC 4253 section 11.1), and each further one would be an error of its own.
    if (this.#said) return 'drop';
    if (type === MESSAGE.disconnect) {
      this.#said = true;
      this.#onGoodbye();
    }
    if (!this.#loggedIn) return 'pass';
    const verdict = this.#rules.judge(type, bytes, this.#traffic);
    if (!this.#accepts(verdict)) return 'stop';
    if (type === MESSAGE.kexInit) this.#peerRekeys();
    return verdict === 'drop' ? 'drop' : 'pass';
  }

  #accepts(verdict: Verdict): boolean {
    if (typeof verdict === 'object') this.violation(verdict.broken);
    return typeof verdict !== 'object';
  }

  /** A signature costs milliseconds, and ssh2 signs as often as the server says that a key is welcome. */
  #watchSignatures(): void {
    this.#incoming.watch('USERAUTH_PK_OK', () => {
      if (this.#signed) return this.#breaks('asks for a second signature before it answers the login');
      this.#signed = true;
      return true;
    });
  }

  #watchRequests(): void {
    const incoming = this.#incoming;
    incoming.watch('GLOBAL_REQUEST', (name: string, wantReply: boolean) => {
      if (name !== 'hostkeys-00@openssh.com') return true;
      // ssh2 would ask the server to prove all these keys, and nobody here wants to know them.
      if (wantReply) incoming.refuse();
      return false;
    });
    incoming.watch('CHANNEL_OPEN', (opening: Opening) => {
      const { packetSize } = opening;
      if (packetSize === undefined) return this.#breaks('sends a request for a channel that is cut short');
      if (packetSize < LEAST_PACKET) return this.#breaks(`limits packets to ${packetSize} bytes`);
      if (!this.#loggedIn) return true;
      if (!incoming.isForListener(opening)) return this.#accepts(this.#rules.unrequested(this.#traffic()));
      const verdict = this.#rules.connection(this.#traffic());
      if (verdict === 'drop') incoming.refuseChannel(opening);
      return this.#accepts(verdict) && verdict === 'pass';
    });
  }

  #watchChannels(): void {
    const incoming = this.#incoming;
    incoming.watch('CHANNEL_OPEN_CONFIRMATION', ({ packetSize }: { packetSize: number }) =>
      packetSize < LEAST_PACKET ? this.#breaks(`limits packets to ${packetSize} bytes`) : true,
    );
    const fits = (channel: number, { length }: Buffer) => {
      const windows = incoming.windows(channel);
      if (windows === undefined || length <= windows.incoming.window) return true;
      return this.#breaks('sends more data than the window of a channel allows');
    };
    incoming.watch('CHANNEL_DATA', fits);
    incoming.watch('CHANNEL_EXTENDED_DATA', fits);
    incoming.watch('CHANNEL_WINDOW_ADJUST', (channel: number, bytes: number) => {
      const windows = incoming.windows(channel);
      if (windows === undefined || windows.outgoing.window + bytes <= MOST_WINDOW) return true;
      return this.#breaks('makes the window of a channel too large');
    });
  }

  #breaks(does: string): false {
    this.violation(does);
    return false;
  }

  #peerRekeys(): void {
    const bound = () => this.violation(`did not finish a key exchange within ${REKEY_MS / 1000} s`);
    this.#rekeyTimer?.end();
    this.#rekeyTimer = new DeadlineTimer(REKEY_MS, bound);
    this.#exchanges(true);
  }

  #rekeyed(): void {
    this.#rekeyTimer?.end();
    this.#exchanges(false);
  }

  #exchanges(running: boolean): void {
    this.#rekeying = running;
    this.#onRekey(running);
  }

  #stop(): void {
    this.#over = true;
    this.#rekeyTimer?.end();
  }
}
