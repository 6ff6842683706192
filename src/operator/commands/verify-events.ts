import { messageOf } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import { loadConfig } from '../../config/load.ts';
import { outsideOfUnit } from '../../config/paths.ts';
import { type Verification, verifyLog } from '../../retirement/evidence/verify.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { failureOf } from './json-failure.ts';

export interface VerifyEventsOptions {
  readonly config: string;
  /** The directory of the log; by default the `state_dir` that `config` names. */
  readonly dir?: string | undefined;
  readonly json: boolean;
}

/**
 * `fleet-mesh events --verify`: checks the files for changed evidence. Exit code 0: intact. 1: a line was changed,
 * cut, moved or removed; its place is printed. 2: the files cannot be read.
 */
export async function verifyEvents(
  options: VerifyEventsOptions,
  io: CommandIo & { readonly env: NodeJS.ProcessEnv },
): Promise<ExitCode> {
  const { config, dir, json } = options;
  let directory = dir;
  let found: Verification | undefined;
  let error = 'no log files';
  try {
    directory ??= (await loadConfig(config, outsideOfUnit(io.env, config))).stateDir;
    found = await verifyLog(directory);
  } catch (thrown) {
    error = messageOf(thrown);
  }
  if (!found || found.files.length === 0) {
    const where = directory === undefined ? `${config} does not name the directory` : directory;
    const sentence = `cannot read the evidence (${printable(where)}): ${printable(error)}`;
    const hint = 'Name the directory with --dir.';
    const failure = failureOf(EXIT.unknown, sentence, hint);
    if (json) io.out(`${JSON.stringify({ ok: null, directory, error: failure }, null, 2)}\n`);
    else io.err(`fleet-mesh: ${sentence}\n${hint}\n`);
    return EXIT.unknown;
  }
  const ok = found.problems.length === 0;
  if (json) io.out(`${JSON.stringify({ ok, directory, ...snake(found) }, null, 2)}\n`);
  else io.out(text(found, directory ?? ''));
  return ok ? EXIT.ok : EXIT.failed;
}

function snake({ endKnown, ...rest }: Verification) {
  return { ...rest, end_known: endKnown };
}

function text(found: Verification, directory: string): string {
  const { entries, files, first, last, head, endKnown, problems } = found;
  const span = first === undefined ? '' : `, from ${first} to ${last}`;
  const lines = [
    `${printable(directory)}: ${entries} entries in ${files.length === 1 ? '1 file' : `${files.length} files`}${span}`,
    ...problems.map(({ file, line, message }) => `${printable(file)}:${line} ${printable(message)}`),
    ...(endKnown ? [] : ['events.head is missing: cannot tell whether entries are missing at the end']),
    problems.length === 0
      ? `intact; the last entry is ${head.seq}, SHA-256 ${head.hash}`
      : `not intact: ${problems.length === 1 ? '1 problem' : `${problems.length} problems`}`,
  ];
  return `${lines.join('\n')}\n`;
}
