import { join } from 'node:path';
import { homeOf } from '../../../base/home.ts';
import type { NameKind } from '../../../config/names.ts';
import { type DefaultPathEnvironment, defaultConfigPath } from '../../../config/paths.ts';

/** The hidden command that the completions of the shells run: `fleet-mesh __names KIND WORD…`. */
export const NAMES_COMMAND = '__names';

/**
 * One name a line, out of the file that the words of the command line name. Loads none of the program: a shell waits for
 * the answer. Never rejects, and prints no error: a completion has no place for errors.
 *
 * @param words the command line so far
 */
export async function offerNames(kind: string, words: readonly string[], env: DefaultPathEnvironment): Promise<string> {
  // Every command imports this file, and only this one reads YAML.
  const { namesIn } = await import('../../../config/names.ts');
  const names = await namesIn(fileOf(words, env), kind as NameKind).catch(() => []);
  return names.map((name) => `${name}\n`).join('');
}

function fileOf(words: readonly string[], env: DefaultPathEnvironment): string {
  const at = words.findLastIndex((word) => word === '-c' || word === '--config');
  const joined = words.findLast((word) => word.startsWith('--config='))?.slice('--config='.length);
  // Words of a shell that completes are not expanded yet.
  const written = (at === -1 ? undefined : words[words[at + 1] === '=' ? at + 2 : at + 1]) || joined;
  if (!written) return defaultConfigPath(env);
  return written.startsWith('~/') ? join(homeOf(env), written.slice(2)) : written;
}
