import { execFile } from 'node:child_process';

/** Of the window, in characters. */
export const COLUMNS = 100;

/**
 * What a shell command prints on a terminal, with its colours. The exit code does not matter: `status` has 1 for a node that is
 * down. Needs script(1).
 */
export function onTerminal(command: string, env: NodeJS.ProcessEnv): Promise<string> {
  const sized = `stty cols ${COLUMNS} rows 50; ${command}`;
  return new Promise((resolve, reject) => {
    const options = { env: { ...env, TERM: 'xterm-256color', SHELL: '/bin/sh' }, timeout: 30_000 };
    execFile('script', ['--quiet', '--return', '--command', sized, '/dev/null'], options, (error, output) => {
      if (error?.killed || typeof error?.code === 'string') reject(new Error(`${command}: ${error.message}`));
      else resolve(output);
    });
  });
}
