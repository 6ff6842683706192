import { join } from 'node:path';
import { outlineOf } from './outline.ts';
import { absolutePath, type ConfigEnvironment, type Places, placesFor } from './paths.ts';
import { readSource } from './read-source.ts';
import { readYaml } from './yaml-document.ts';

/** The path of the control socket: the absolute path from the file, else a path in the runtime directory. */
export function controlSocket(written: string | undefined, { runtime }: Pick<Places, 'runtime'>): string | undefined {
  return written ?? (runtime && join(runtime, 'control.sock'));
}

/** The control socket as a configuration file sets it. */
export type WrittenSocket =
  | { readonly kind: 'written'; readonly path: string }
  /** The file does not set the socket, or does not exist: the default of the environment, if any. */
  | { readonly kind: 'default'; readonly path: string | undefined }
  /** The file has no readable structure; `problem` is the first mistake. */
  | { readonly kind: 'unreadable'; readonly problem: string };

/**
 * Finds the control socket of the daemon that runs on this file, even if the file has mistakes: a reload of a broken
 * file must reach the daemon, which reports the mistakes.
 */
export async function findWrittenSocket(path: string, env: ConfigEnvironment): Promise<WrittenSocket> {
  const places = placesFor(path, env);
  const source = await readSource(path);
  if (typeof source === 'string') return { kind: 'default', path: controlSocket(undefined, places) };
  const { data, mistakes } = readYaml(source.toString('utf8'));
  const [first] = mistakes;
  if (data === undefined && first) {
    return { kind: 'unreadable', problem: `${path}:${first.line}:${first.column}: ${first.message}` };
  }
  const written = absolutePath(outlineOf(data).control?.socket, places);
  if (written !== undefined) return { kind: 'written', path: written };
  return { kind: 'default', path: controlSocket(undefined, places) };
}
