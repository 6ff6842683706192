/** Of so many failures the addresses are remembered. */
const MOST = 4;

/**
 * Addresses of the host that accepted a connection, and then made no session. The name may have better ones: these
 * addresses are tried last, until a session over them is up.
 */
export class FailedAddresses {
  #failed: readonly string[] = [];

  /** Newest last; an address that failed several times is there as often. */
  get all(): readonly string[] {
    return this.#failed;
  }

  failed(address: string): void {
    this.#failed = [...this.#failed, address].slice(-MOST);
  }

  succeeded(address: string | undefined): void {
    this.#failed = this.#failed.filter((failed) => failed !== address);
  }
}
