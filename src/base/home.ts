import { homedir } from 'node:os';

/**
 * The home of the user. `/` for a user without an account, such as a container gives: the error of Node would end the program.
 *
 * @param ask the system's answer; throws for a user without an account
 */
export function homeOf({ HOME }: { readonly HOME?: string | undefined }, ask: () => string = homedir): string {
  if (HOME) return HOME;
  try {
    return ask();
  } catch {
    return '/';
  }
}
