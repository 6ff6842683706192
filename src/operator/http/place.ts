import { formatAddress } from '../../base/net/address.ts';
import type { Config } from '../../config/config.ts';
import type { Endpoint } from './server.ts';

/** The endpoint at its configured address. */
export class EndpointPlace {
  readonly #create: (config: Config) => Endpoint;
  #endpoint: Endpoint;
  /** The configuration of the endpoint. */
  #at: Config;

  constructor(config: Config, create: (config: Config) => Endpoint) {
    this.#create = create;
    this.#at = config;
    this.#endpoint = create(config);
  }

  /** Rejects with a TunnelError. */
  async start(): Promise<void> {
    await this.#endpoint.start();
  }

  /**
   * Moves the endpoint if the address has changed. The new listener opens first; if that fails, this rejects and the
   * old listener stays. On the same port the two may overlap (127.0.0.1 and 0.0.0.0): then the old listener closes
   * first, and reopens on failure.
   */
  async move(to: Config): Promise<void> {
    const from = this.#at;
    if (formatAddress(from.endpoint.listen) === formatAddress(to.endpoint.listen)) return;
    const old = this.#endpoint;
    const overlaps = to.endpoint.listen.port === from.endpoint.listen.port;
    if (overlaps) await old.stop();
    const endpoint = this.#create(to);
    try {
      await endpoint.start();
      this.#endpoint = endpoint;
      this.#at = to;
    } catch (error) {
      if (overlaps) {
        this.#endpoint = this.#create(from);
        await this.#endpoint.start();
      }
      throw error;
    }
    if (!overlaps) await old.stop();
  }

  async stop(): Promise<void> {
    await this.#endpoint.stop();
  }
}
