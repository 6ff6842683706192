import { join } from 'node:path';
import { outlineOf } from './outline.ts';
import { absolutePath, type ConfigEnvironment, type Places, placesFor } from './paths.ts';
import { readSource } from './read-source.ts';
import { readYaml } from './yaml-document.ts';

/** Where the control socket is: where the file says (made absolute already), else in the runtime directory if there is one. */
export function controlSocket(written: string | undefined, { runtime }: Pick<Places, 'runtime'>): string | undefined {
  return written ?? (runtime && join(runtime, 'control.sock'));
}

/** Where a configuration file says that the control socket is. */
export type WrittenSocket =
  | { readonly kind: 'written'; readonly path: string }
  /** It says nothing of it, or is not there: the default of the environment, if that has one. */
  | { readonly kind: 'default'; readonly path: string | undefined }
  /** Not even its structure can be made out; `problem` is the first thing that is wrong. */
  | { readonly kind: 'unreadable'; readonly problem: string };

/**
 * Finds the control socket of the daemon that runs on this file, whatever else is wrong with it: asking for a reload of a
 * broken file is how its mistakes are found.
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
