import { describeStep, type Step } from '../../machine/install/step.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';

/** The output of install and uninstall: line by line, or with `json` all of it at the end. */
export class InstallReport {
  readonly #io: CommandIo;
  readonly #json: boolean;
  readonly #steps: string[] = [];
  readonly #notes: string[] = [];
  readonly #problems: string[] = [];

  constructor(io: CommandIo, json: boolean) {
    this.#io = io;
    this.#json = json;
  }

  step = (line: string): void => {
    this.#steps.push(line);
    if (!this.#json) this.#io.out(`${line}\n`);
  };

  note(line: string): void {
    this.#notes.push(line);
    if (!this.#json) this.#io.out(`${line}\n`);
  }

  problem(text: string): void {
    this.#problems.push(text);
    if (!this.#json) this.#io.err(`fleet-mesh: ${text}\n`);
  }

  /** Ends a dry run: prints every line of every step. */
  shown(steps: readonly Step[], notes: readonly string[]): ExitCode {
    for (const step of steps) for (const line of describeStep(step)) this.step(line);
    for (const note of notes) this.note(note);
    this.note('(--dry-run: nothing was changed)');
    return this.end(EXIT.ok, false);
  }

  end(code: ExitCode, changed: boolean): ExitCode {
    if (!this.#json) return code;
    const [steps, notes, problems] = [this.#steps, this.#notes, this.#problems];
    this.#io.out(`${JSON.stringify({ ok: code === EXIT.ok, changed, steps, notes, problems }, null, 2)}\n`);
    return code;
  }
}
