import { Option } from 'commander';
import { isDumb, wantsNoColour } from '../../base/text/plain-terminal.ts';
import { chosenFrom } from './options.ts';

const CHOICES = ['auto', 'always', 'never'] as const;
type ColourChoice = (typeof CHOICES)[number];

/** How the output looks. */
export interface Terminal {
  /** Whether text can be drawn again in place. */
  readonly isTty: boolean;
  /** Width in columns; undefined: unlimited. */
  readonly columns: number | undefined;
  readonly colour: boolean;
}

let chosen: ColourChoice = 'auto';

/** The option of the program itself: valid before and after each command. */
export function colourOption(): Option {
  const option = new Option('--color <when>', 'colours; auto: on a terminal, unless NO_COLOR is set or TERM is dumb');
  return chosenFrom(CHOICES, option.default('auto'));
}

/**
 * Takes `--color WHEN` out of the arguments, wherever it stands, and remembers the choice. Returns the other arguments, or
 * the wrong choice.
 */
export function takeColour(argv: readonly string[]): { readonly argv: string[] } | { readonly wrong: string } {
  const kept: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (word === '--') return { argv: [...kept, ...argv.slice(at)] };
    if (word !== '--color' && !word.startsWith('--color=')) {
      kept.push(word);
      continue;
    }
    const written = word === '--color' ? argv[++at] : word.slice('--color='.length);
    const choice = CHOICES.find((each) => each === written);
    if (choice === undefined) return { wrong: written ?? '' };
    chosen = choice;
  }
  return { argv: kept };
}

/** Standard output. A terminal of width 0 does not know its width, as in a container: nothing is cut then. */
export function terminal(
  { isTTY, columns }: Pick<NodeJS.WriteStream, 'isTTY' | 'columns'> = process.stdout,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Terminal {
  const isTty = isTTY === true;
  const { TERM } = env;
  return {
    isTty: isTty && !isDumb({ TERM }),
    columns: isTty && columns > 0 ? columns : undefined,
    // The option is the stronger word.
    colour: chosen === 'always' || (chosen === 'auto' && isTty && !wantsNoColour(env)),
  };
}
