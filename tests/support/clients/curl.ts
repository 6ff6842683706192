import { requireProgram } from '../machine/find-program.ts';
import { spawnOwned } from '../machine/owned-process.ts';

export interface CurlResult {
  /** As in curl(1), "EXIT CODES"; 0 is success, 97 a refusal by the proxy. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs curl, whatever the environment says about proxies. */
export async function curl(...args: readonly string[]): Promise<CurlResult> {
  const limits = ['--silent', '--show-error', '--max-time', '20'];
  await using process = spawnOwned(requireProgram('curl'), ['--disable', ...limits, ...args], {
    env: { PATH: '/usr/bin:/bin' },
  });
  const { code } = await process.exit;
  return { code, out: process.stdout(), err: process.stderr().trim() };
}
