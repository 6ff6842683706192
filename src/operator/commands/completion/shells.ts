import type { Command } from 'commander';
import { bashCompletion } from './bash.ts';
import { fishCompletion } from './fish.ts';
import { outlineOf } from './outline.ts';
import { zshCompletion } from './zsh.ts';

/** The completion of bash, zsh or fish, for every command of `program`. */
export function completionFor(shell: string, program: Command): string {
  const outline = outlineOf(program);
  if (shell === 'fish') return fishCompletion(outline);
  return shell === 'zsh' ? zshCompletion(outline) : bashCompletion(outline);
}
