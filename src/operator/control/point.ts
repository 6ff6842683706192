import { TunnelError } from '../../base/errors.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Advisory } from '../../telemetry/status/advisory.ts';
import { answer, type ControlActions } from './answer.ts';
import { type ControlServer, startControlServer } from './server.ts';

/**
 * The daemon's control socket as configured: bound, moved, or missing. A path owned by another process is an error:
 * two daemons must not share a socket. Any other failure is only reported, in the log and by {@link advisories}:
 * tunnels matter more than commands, and signals still work.
 */
export class ControlPoint {
  readonly #actions: ControlActions;
  readonly #log: Logger;
  #server: ControlServer | undefined;
  #trouble: string | undefined;

  constructor(actions: ControlActions, log: Logger) {
    this.#actions = actions;
    this.#log = log;
  }

  /** Whether the daemon takes commands. */
  get isOpen(): boolean {
    return this.#server !== undefined;
  }

  /** Why commands cannot reach this daemon; empty if they can. */
  advisories(): Advisory[] {
    if (this.#trouble === undefined) return [];
    const message = `the daemon takes no commands: ${this.#trouble}`;
    return [{ code: 'control_unavailable', message, subject: 'control socket' }];
  }

  /** Opens the new socket before the old one closes. Rejects with `listen_in_use`; then the old socket stays. */
  async listen(path: string): Promise<void> {
    let next: ControlServer | undefined;
    let trouble: TunnelError | undefined;
    try {
      next = await this.#start(path);
    } catch (error) {
      trouble = TunnelError.from(error);
      if (trouble.code === 'listen_in_use') throw trouble;
      this.#log.warn(
        { event: 'control.unavailable', err: trouble },
        `commands cannot reach this daemon: ${trouble.message}`,
      );
    }
    this.#server?.close();
    this.#server = next;
    this.#trouble = trouble && `${trouble.message}. ${trouble.hint}`;
  }

  /** Frees the path and disconnects all clients. */
  stop(): void {
    this.#server?.close();
    this.#server?.dropAll();
    this.#server = undefined;
  }

  async #start(path: string): Promise<ControlServer> {
    return startControlServer(path, {
      answer: (line, tell) => {
        this.#log.info(
          { event: 'control.command', command: line.slice(0, 200) },
          'received a command on the control socket',
        );
        const onBug = (err: unknown) => this.#log.error({ event: 'control.failed', err }, 'a command failed');
        return answer(line, this.#actions, onBug, tell);
      },
      onError: (err) => this.#log.error({ event: 'control.failed', err }, `the control socket failed: ${err.message}`),
    });
  }
}
