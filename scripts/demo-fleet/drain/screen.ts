import { sleep } from '../../../src/base/async/sleep.ts';
import { wrapped } from '../../../src/operator/text/wrap.ts';
import { Panel } from '../panel.ts';
import { print, say } from '../say.ts';

const DRAW_EVERY_MS = 200;

/** The output of the demo: text scrolls, and a counter stays below. Without a terminal, the counter is printed at each beat. */
export class Screen implements Disposable {
  readonly #panel = new Panel(process.stdout);
  readonly #live: boolean;
  readonly #counter: () => string;
  readonly #drawing: NodeJS.Timeout | undefined;

  /**
   * @param live whether to pause for a reader
   * @param counter the text that is always shown
   */
  constructor(live: boolean, counter: () => string) {
    this.#live = live && this.#panel.shows;
    this.#counter = counter;
    if (this.#live) this.#drawing = setInterval(() => this.#draw(), DRAW_EVERY_MS);
  }

  say(headline: string): void {
    this.#write(() => say(headline));
  }

  print(line: string): void {
    const width = this.#live ? this.#panel.columns : undefined;
    this.#write(() => print(wrapped(line, width).join('\n')));
  }

  /** Prints a typed command. */
  prompt(command: string): void {
    const { colour } = this.#panel;
    this.print(`   ${colour ? '\x1b[1m' : ''}$ ${command}${colour ? '\x1b[22m' : ''}`);
  }

  /** Waits for the reader. Rejects with the reason of the signal. */
  async beat(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#live) await sleep(ms, signal);
    else this.print(`   [${this.#counter()}]`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#drawing);
    this.#panel.erase();
  }

  #write(how: () => void): void {
    this.#panel.erase();
    how();
    this.#draw();
  }

  #draw(): void {
    if (this.#live) this.#panel.draw([`   ${this.#counter()}`]);
  }
}
