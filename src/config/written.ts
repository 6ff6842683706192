import { parseAddress, type TcpAddress } from '../base/net/address.ts';
import { controlSocket } from './control-socket.ts';
import { outlineOf } from './outline.ts';
import { absolutePath, type ConfigEnvironment, placesFor } from './paths.ts';
import { readSource } from './read-source.ts';
import { DEFAULT_ENDPOINT } from './schema.ts';
import { readYaml } from './yaml-document.ts';

/** The control socket as a configuration file sets it. */
export type WrittenSocket =
  | { readonly kind: 'written'; readonly path: string }
  /** The file does not set the socket, or does not exist: the default paths, the most probable first. */
  | { readonly kind: 'default'; readonly paths: readonly string[] }
  /** The file has no readable structure; `problem` is the first mistake. */
  | { readonly kind: 'unreadable'; readonly problem: string };

/**
 * Finds the control socket of the daemon that runs on this file, even if the file has mistakes: a reload of a broken
 * file must reach the daemon, which reports the mistakes.
 */
export async function findWrittenSocket(path: string, env: ConfigEnvironment): Promise<WrittenSocket> {
  const places = placesFor(path, env);
  // The daemon may have another environment, such as one without a runtime directory.
  const defaults = (stateDir: string) => [
    controlSocket(undefined, places, stateDir),
    controlSocket(undefined, { runtime: undefined }, stateDir),
  ];
  const source = await readSource(path);
  if (typeof source === 'string') return { kind: 'default', paths: defaults(places.state) };
  const { data, mistakes } = readYaml(source.toString('utf8'));
  const [first] = mistakes;
  if (data === undefined && first) {
    return { kind: 'unreadable', problem: `${path}:${first.line}:${first.column}: ${first.message}` };
  }
  const { control, state_dir: stateDir } = outlineOf(data);
  const written = absolutePath(control?.socket, places);
  if (written !== undefined) return { kind: 'written', path: written };
  return { kind: 'default', paths: defaults(absolutePath(stateDir, places) ?? places.state) };
}

/** `state_dir` of a configuration file, also of one with mistakes; undefined if not set or not readable. */
export async function findWrittenStateDir(path: string, env: ConfigEnvironment): Promise<string | undefined> {
  const source = await readSource(path);
  if (typeof source === 'string') return undefined;
  const text = source.toString('utf8');
  const { data } = readYaml(text);
  const written = data === undefined ? lineOf(text, 'state_dir') : outlineOf(data).state_dir;
  return absolutePath(written, placesFor(path, env));
}

/** The plain or quoted value of a top-level key, from the text of a file that YAML cannot read. */
function lineOf(text: string, key: string): string | undefined {
  const [, quoted, plain] = new RegExp(`^${key}:[ ]+(?:["']([^"'\\n]+)["']|([^\\s"'#][^\\n#]*))`, 'm').exec(text) ?? [];
  return quoted ?? plain?.trim();
}

/** The endpoint that a configuration file sets, also a file with mistakes; undefined if it is not readable. */
export async function findWrittenEndpoint(path: string): Promise<TcpAddress | undefined> {
  const source = await readSource(path);
  if (typeof source === 'string') return undefined;
  const { data } = readYaml(source.toString('utf8'));
  const address = data === undefined ? undefined : parseAddress(outlineOf(data).endpoint?.listen ?? DEFAULT_ENDPOINT);
  return address?.kind === 'tcp' ? address : undefined;
}
