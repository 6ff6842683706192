import { aside } from '../base/async/aside.ts';
import { ConfigError, type Problem } from './problem.ts';

/** A file of this size is parsed within some 20 ms. A larger one is parsed in a thread, which takes 0.2 s to start. */
const SMALL_BYTES = 16 * 1024;
/** Far above the time for a file of a megabyte. */
const WITHIN_MS = 60_000;

/** The result of a parser, in a form that can be copied between threads. */
export type Outcome<Parsed> = { readonly parsed: Parsed } | { readonly problems: readonly Problem[] };

/** Turns a thrown ConfigError into its problems. */
export function outcomeOf<Parsed>(parse: () => Parsed): Outcome<Parsed> {
  try {
    return { parsed: parse() };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems };
    throw error;
  }
}

/**
 * Parses a file without keeping the event loop: the YAML library and the checks are synchronous. Rejects with a
 * {@link ConfigError}.
 *
 * @param module `import.meta.url` of the module that exports `parse`
 * @param more the other arguments of `parse`; they are copied
 */
export async function parseAside<More extends readonly unknown[], Parsed>(
  module: string,
  parse: (bytes: Uint8Array, ...more: More) => Outcome<Parsed>,
  bytes: Buffer,
  ...more: More
): Promise<Parsed> {
  const outcome =
    bytes.length <= SMALL_BYTES ? parse(bytes, ...more) : await aside(module, parse, [bytes, ...more], WITHIN_MS);
  if ('problems' in outcome) throw new ConfigError(outcome.problems);
  return outcome.parsed;
}
