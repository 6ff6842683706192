/** Disposes of what was given to it, in reverse: Node 20 has no AsyncDisposableStack. */
export class Cleanup implements AsyncDisposable {
  readonly #owned: (AsyncDisposable | Disposable)[] = [];

  use<T extends AsyncDisposable | Disposable>(owned: T): T {
    this.#owned.push(owned);
    return owned;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const owned of this.#owned.splice(0).reverse()) {
      if (Symbol.asyncDispose in owned) await owned[Symbol.asyncDispose]();
      else owned[Symbol.dispose]();
    }
  }
}
