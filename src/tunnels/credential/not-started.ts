import { constants, type Stats } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, resolve } from 'node:path';
import { TunnelError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';

/** The search path of execvp(3) without PATH. */
const DEFAULT_PATH = '/bin:/usr/bin';

/**
 * Finds out why a `cert_command` did not start. execve(2) returns ENOENT for a missing program, a missing interpreter
 * and a missing working directory, and EACCES for a directory and for a file without permission.
 */
export async function notStarted(
  error: Error,
  program: string,
  workingDirectory: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<TunnelError> {
  const shown = printable(program, 100);
  const failed = (message: string, hint?: string) =>
    new TunnelError('cert_command_failed', message, { hint, cause: new Error(codeOf(error)) });
  if (workingDirectory !== undefined && !(await statOf(workingDirectory))?.isDirectory()) {
    return failed(`the working directory of cert_command, ${workingDirectory}, is not a directory`);
  }
  const path = await find(program, workingDirectory, env);
  if (path === undefined) {
    return program.includes('/')
      ? failed(
          `the program of cert_command, ${shown}, does not exist`,
          `Install the program there${relativeTo(workingDirectory, program)}.`,
        )
      : failed(
          `the program of cert_command, ${shown}, is not on the PATH`,
          'Install the program, or use its absolute path: a service does not have the PATH of your shell.',
        );
  }
  if ((await statOf(path))?.isDirectory()) return failed(`the program of cert_command, ${shown}, is a directory`);
  if (!(await isExecutable(path))) {
    return failed(
      `the program of cert_command, ${shown}, is not executable by the daemon user`,
      'Check its mode (chmod +x), its owner and the mount options of its file system (noexec).',
    );
  }
  if (codeOf(error) === 'ENOENT') {
    return failed(
      `the program of cert_command, ${shown}, exists, but the interpreter in its first line does not`,
      'Check the #! line: a file from Windows has a carriage return there.',
    );
  }
  return failed(`the program of cert_command, ${shown}, cannot be started (${codeOf(error)})`);
}

function relativeTo(directory: string | undefined, program: string): string {
  return isAbsolute(program)
    ? ''
    : `, or fix the path: it is relative to ${directory ?? "the daemon's working directory"}`;
}

/** The file of the program, preferably an executable one; undefined when no file exists. */
async function find(program: string, from: string | undefined, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const { PATH = DEFAULT_PATH } = env;
  const candidates = program.includes('/')
    ? [program]
    : PATH.split(delimiter).map((folder) => `${folder || '.'}/${program}`);
  let found: string | undefined;
  for (const candidate of candidates.map((name) => resolve(from ?? '.', name))) {
    if ((await statOf(candidate)) === undefined) continue;
    if (await isExecutable(candidate)) return candidate;
    found ??= candidate;
  }
  return found;
}

async function statOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch((): undefined => undefined);
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : 'unknown';
}
