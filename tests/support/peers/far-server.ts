import { TunnelError } from '../../../src/base/errors.ts';
import type { FarListener, FarSession } from '../../../src/tunnels/channel/far-side.ts';

/** One address of a server, which at most one session can listen on; requests are answered in later turns. */
export class FarServer {
  holder: FakeFarSession | undefined;
  /** Another program has the address. */
  taken = false;
  /** Whether two sessions ever held it at once. */
  shared = false;
  readonly log: string[] = [];

  session(name: string): FakeFarSession {
    return new FakeFarSession(this, name);
  }
}

/** A session that the test ends, with or without notice to its server. */
export class FakeFarSession implements FarSession {
  readonly server: FarServer;
  readonly name: string;
  readonly closed: Promise<{ silentMs: number }>;
  usable = true;
  refuses = false;
  released = 0;
  made = 0;
  #close: (end: { silentMs: number }) => void = () => {};

  constructor(server: FarServer, name: string) {
    this.server = server;
    this.name = name;
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  /** With `ghost` the server does not notice, and keeps listening. */
  die(ghost = false): void {
    this.usable = false;
    if (!ghost && this.server.holder === this) this.server.holder = undefined;
    this.#close({ silentMs: 0 });
  }

  open(): Promise<never> {
    const code = this.server.holder || this.server.taken ? 'forward_denied' : 'target_refused';
    return Promise.reject(new TunnelError(code, code));
  }

  listener(): FarListener {
    this.made++;
    let held = true;
    return {
      bind: async () => {
        await Promise.resolve();
        const { server } = this;
        if (!this.usable) throw new TunnelError('connection_reset', 'gone');
        if (server.holder && server.holder !== this && server.holder.usable) server.log.push(`${this.name} refused`);
        if (this.refuses || server.taken || server.holder) throw new TunnelError('remote_listen_denied', 'refused');
        server.holder = this;
        server.log.push(`${this.name} bound`);
      },
      cancel: async () => {
        if (!this.usable) return false;
        const had = this.server.holder === this;
        if (had) this.server.holder = undefined;
        if (had) this.server.log.push(`${this.name} cancelled`);
        return had;
      },
      release: () => {
        if (held) this.released++;
        held = false;
      },
    };
  }
}
