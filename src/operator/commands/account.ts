import { userInfo } from 'node:os';

/** The account that runs the command, for the evidence: the person behind sudo(8), if there is one. */
export function account({ SUDO_USER }: NodeJS.ProcessEnv): string {
  if (SUDO_USER) return SUDO_USER;
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
