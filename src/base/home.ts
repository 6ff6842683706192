import { homedir } from 'node:os';

/** The home of the user. `/` for a user without an account, such as a container gives: the error of Node would end the program. */
export function homeOf({ HOME }: { readonly HOME?: string | undefined }): string {
  if (HOME) return HOME;
  try {
    return homedir();
  } catch {
    return '/';
  }
}
