/** A link without a login for this long tests its next login, in milliseconds; a quarter more or less, at random. */
const EVERY_MS = 3_600_000;

/** Whether the clock invalidates the certificate. `renewal`: state of its renewal, as in `/status`. */
export function isInvalid(renewal: string | undefined): boolean {
  return renewal === 'expired' || renewal === 'not_yet_valid';
}

/**
 * When a link tests its next login. A session outlives the key, the account and the host key that it began with. So a link
 * with all its sessions up may not know that its next login will fail. The test is one more session, which ends at once.
 */
export class LoginTest {
  readonly #random: () => number;
  #nextAt: number;
  #due = false;
  #invalid = false;
  #hastened = false;

  /**
   * @param random uniform in [0, 1)
   * @param now as of performance.now()
   */
  constructor(random: () => number, now: number) {
    this.#random = random;
    this.#nextAt = now + this.#pauseMs();
  }

  /** Whether a login is being tested, until one succeeds. */
  get due(): boolean {
    return this.#due;
  }

  /**
   * Looks whether a test is due: after an hour, and when the clock invalidates the certificate of the next login. Returns
   * whether a test begins.
   *
   * @param now as of performance.now()
   * @param renewal state of the certificate's renewal, as in `/status`; undefined without a certificate
   */
  look(now: number, renewal: string | undefined): boolean {
    const invalid = isInvalid(renewal);
    // Once: the next login may still succeed with the fallback.
    const invalidated = invalid && !this.#invalid;
    this.#invalid = invalid;
    if (this.#due || (now < this.#nextAt && !invalidated)) return false;
    this.begin();
    return true;
  }

  /** Whether no login has succeeded since the last {@link hasten}. */
  get hastened(): boolean {
    return this.#hastened;
  }

  /** The next look begins a test. `now`: as of performance.now(). */
  hasten(now: number): void {
    this.#nextAt = now;
    this.#hastened = true;
  }

  /** A login failed, or will fail, and each further one will fail: tests until one succeeds, also if no session is missing. */
  begin(): void {
    this.#due = true;
  }

  /** A login succeeded, for whatever purpose. */
  succeeded(now: number): void {
    this.#due = this.#hastened = false;
    this.#nextAt = now + this.#pauseMs();
  }

  #pauseMs(): number {
    return EVERY_MS * (0.75 + this.#random() / 2);
  }
}
