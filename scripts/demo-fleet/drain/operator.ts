import { createInterface } from 'node:readline';
import { abortable } from '../../../src/base/async/deadline.ts';
import { spawnCli } from '../../../tests/support/daemon/daemon.ts';
import { expectThat } from '../expect-that.ts';
import type { DrainFleet } from './fleet.ts';
import type { Screen } from './screen.ts';

/** Whether a line of output is shown; called line by line, in order. */
export type Lines = (line: string) => boolean;

const READ_MS = 1_500;

/** Runs commands of fleet-mesh and shows their output while they run. */
export class Operator {
  readonly #fleet: Pick<DrainFleet, 'configFile' | 'directory'>;
  readonly #screen: Screen;
  readonly #interrupted: AbortSignal;

  constructor(fleet: Pick<DrainFleet, 'configFile' | 'directory'>, screen: Screen, interrupted: AbortSignal) {
    this.#fleet = fleet;
    this.#screen = screen;
    this.#interrupted = interrupted;
  }

  /** Rejects for another exit code. Returns the whole output. */
  async types(args: readonly string[], code: number, shown: Lines = () => true): Promise<string> {
    const typed = `fleet-mesh ${args.map(quoted).join(' ')}`;
    this.#screen.prompt(typed);
    const { configFile, directory } = this.#fleet;
    await using cli = spawnCli(args, { FLEET_MESH_CONFIG: configFile });
    let left = 0;
    for (const input of [cli.child.stdout, cli.child.stderr]) {
      if (!input) continue;
      createInterface({ input }).on('line', (line) => {
        if (shown(line)) this.#screen.print(`     ${line.replaceAll(`${directory}/`, '')}`);
        else left += 1;
      });
    }
    const exit = await abortable(cli.exit, this.#interrupted);
    if (left > 0) this.#screen.print(`     … (${left === 1 ? '1 more line' : `${left} more lines`})`);
    if (exit.code !== 0) this.#screen.print(`     (exit code ${exit.code})`);
    const said = `${cli.stdout()}${cli.stderr()}`;
    expectThat(exit.code === code, `\`${typed}\` ended with ${exit.code}, not ${code}:\n${said}`);
    await this.#screen.beat(READ_MS, this.#interrupted);
    return said;
  }
}

/** Shows the headline of `why` and the lines below these labels. */
export function under(...labels: readonly string[]): Lines {
  let shows = true;
  return (line) => {
    const label = /^ {2}(\S[^:]*):/.exec(line)?.[1];
    if (label !== undefined) shows = labels.includes(label);
    return shows;
  };
}

/** Quotes a word for a shell. */
function quoted(word: string): string {
  return /^[\w./=:-]+$/.test(word) ? word : `'${word}'`;
}
