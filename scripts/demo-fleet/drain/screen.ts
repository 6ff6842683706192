import { sleep } from '../../../src/base/async/sleep.ts';
import { wrapped } from '../../../src/operator/text/wrap.ts';
import { Panel } from '../panel.ts';
import { print, say } from '../say.ts';

const DRAW_EVERY_MS = 200;

/** Where the story is told: what was said scrolls, the counter stays below it. On no terminal there is a line of it at each beat. */
export class Screen implements Disposable {
  readonly #panel = new Panel(process.stdout);
  readonly #live: boolean;
  readonly #counter: () => string;
  readonly #drawing: NodeJS.Timeout | undefined;

  /**
   * @param live whether somebody may be looking: only then there are pauses to read
   * @param counter what is shown all the time
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

  /** What is typed. */
  prompt(command: string): void {
    const { colour } = this.#panel;
    this.print(`   ${colour ? '\x1b[1m' : ''}$ ${command}${colour ? '\x1b[22m' : ''}`);
  }

  /** Time to read. Rejects with the signal's reason. */
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
