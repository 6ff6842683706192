/** Started resources, ended in reverse order. (Node 20 has no AsyncDisposableStack.) */
export class Started implements AsyncDisposable {
  readonly #resources: (Disposable | AsyncDisposable)[] = [];

  get isEmpty(): boolean {
    return this.#resources.length === 0;
  }

  use<T extends Disposable | AsyncDisposable>(resource: T): T {
    this.#resources.push(resource);
    return resource;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let last = this.#resources.pop(); last !== undefined; last = this.#resources.pop()) {
      if (Symbol.asyncDispose in last) await last[Symbol.asyncDispose]();
      else last[Symbol.dispose]();
    }
  }
}
