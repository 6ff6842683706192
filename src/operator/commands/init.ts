import { errnoOf, messageOf } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { createFile, fileToChange, firstText } from './first-file.ts';
import { failureOf } from './json-failure.ts';

export interface InitOptions {
  readonly config: string;
  /** Whether the user named the file. */
  readonly isChosen: boolean;
  readonly json: boolean;
}

/** `fleet-mesh init`: makes a first tunnel YAML for this machine. Never changes an existing file. */
export async function init(
  { config, isChosen, json }: InitOptions,
  io: CommandIo & { readonly env: NodeJS.ProcessEnv },
): Promise<ExitCode> {
  const path = await fileToChange(config, isChosen, io.env);
  try {
    await createFile(path, firstText());
  } catch (error) {
    const isThere = errnoOf(error) === 'EEXIST';
    const message = isThere
      ? `${path} exists already; the file was not changed`
      : `${path} cannot be made: ${messageOf(error)}`;
    if (json) {
      const error = failureOf(isThere ? 'exists' : EXIT.failed, message);
      io.out(`${JSON.stringify({ ok: false, path, message, error }, null, 2)}\n`);
    } else io.err(`fleet-mesh: ${printable(message)}\n`);
    return EXIT.failed;
  }
  const next = 'fleet-mesh add NAME -L PORT:HOST:PORT [user@]host';
  if (json) io.out(`${JSON.stringify({ ok: true, path }, null, 2)}\n`);
  else io.out(`${printable(path)} is ready. Add a tunnel: ${next}\n`);
  return EXIT.ok;
}
