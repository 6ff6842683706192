/** Something that is on or off, and when it was. True time, in milliseconds. */
export class Switch {
  readonly #clock: { readonly now: number };
  readonly #changes: { readonly at: number; readonly on: boolean }[];

  constructor(clock: { readonly now: number }, on: boolean) {
    this.#clock = clock;
    this.#changes = [{ at: clock.now, on }];
  }

  get on(): boolean {
    return this.#changes.at(-1)?.on ?? false;
  }

  /** When it was last changed. */
  get since(): number {
    return this.#changes.at(-1)?.at ?? 0;
  }

  set(on: boolean): void {
    if (on !== this.on) this.#changes.push({ at: this.#clock.now, on });
  }

  /** The longest time that it was off between `from` and now. */
  longestOff(from: number): number {
    const { now } = this.#clock;
    const lengths = this.#changes.map(({ at, on }, index) => {
      const until = this.#changes[index + 1]?.at ?? now;
      return on ? 0 : Math.min(until, now) - Math.max(at, from);
    });
    return Math.max(0, ...lengths);
  }
}
