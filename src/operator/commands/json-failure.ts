import type { Refusal } from '../../base/refusal.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';

/** Begins the sentence that names the failure; the lines before are details, the lines after are the hint. */
const HEADLINE = /^(?:fleet-mesh|error): (?!note: )/;

/**
 * Whether the arguments ask for JSON, before the program has parsed them: a wrong argument must be reported as JSON too.
 *
 * @param argv without node and script
 */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  return words.some(
    (word, at) => word === '--json' || word === '--format=json' || (word === '--format' && words[at + 1] === 'json'),
  );
}

/**
 * Keeps the promise of `--json`: standard output is JSON whatever happens. A command that failed and printed no result gets
 * `{"ok": false, "error": {code, message, hint, details}}`, made from what the command told the person. Standard error
 * stays as it is.
 */
export class JsonFailure {
  readonly #asked: boolean;
  /** A watch writes one line for each result. */
  readonly #isLines: boolean;
  #hasResult = false;
  #told = '';
  #code: string | undefined;

  constructor(argv: readonly string[]) {
    this.#asked = asksForJson(argv);
    this.#isLines = argv.includes('--watch') || argv.includes('--follow');
  }

  /** The same `io`, listened to. */
  listen({ out, err }: CommandIo): CommandIo {
    return {
      out: (text) => {
        this.#hasResult ||= text !== '';
        out(text);
      },
      err: (text, code) => {
        if (this.#asked) this.#told += text;
        this.#code = code ?? this.#code;
        err(text);
      },
    };
  }

  /** The JSON to print at the end of the command, with its newline; undefined if nothing is missing. */
  missing(exit: ExitCode): string | undefined {
    if (!this.#asked || this.#hasResult || exit === EXIT.ok) return undefined;
    const { message, hint, details } = partsOf(this.#told);
    const failure = { ok: false, error: failureOf(this.#code ?? exit, message, hint, details) };
    return `${JSON.stringify(failure, null, this.#isLines ? undefined : 2)}\n`;
  }
}

/** The error of a command for `--json`. An exit code in place of a name gives the general name of such failures. */
export function failureOf(
  code: string | ExitCode,
  message: string,
  hint = '',
  details: readonly string[] = [],
): Refusal {
  return { code: typeof code === 'string' ? code : CODES[code], message, hint, details: [...details] };
}

const CODES: Readonly<Record<ExitCode, string>> = {
  [EXIT.ok]: 'ok',
  [EXIT.failed]: 'failed',
  [EXIT.unknown]: 'unknown',
  [EXIT.timeout]: 'timed_out',
  [EXIT.noSuchTunnel]: 'unknown_name',
  [EXIT.usage]: 'usage',
  [EXIT.configuration]: 'config_invalid',
};

function partsOf(told: string): Omit<Refusal, 'code'> {
  const lines = told.split('\n').filter((line) => line.trim() !== '');
  const at = lines.findLastIndex((line) => HEADLINE.test(line));
  if (at === -1) {
    const message = lines.length === 0 ? 'the command ended without a result' : 'the command failed; see the details';
    return { message, hint: '', details: lines };
  }
  return {
    message: (lines[at] ?? '').replace(HEADLINE, ''),
    hint: lines.slice(at + 1).join(' '),
    details: lines.slice(0, at),
  };
}
