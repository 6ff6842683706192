import { readFileSync, writeFileSync } from 'node:fs';

/** What differs from run to run, and what the page shows instead. Applied in this order. */
export type Replacements = readonly (readonly [found: string | RegExp, shown: string])[];

const OF_EVERY_RUN: Replacements = [
  [/\d+(\.\d+)? ms\b/g, '12 ms'],
  [/SHA256:[\w+/]{43}/g, 'SHA256:…'],
  [/SSH-2\.0-OpenSSH_\S+( Debian\S+)?/g, 'SSH-2.0-OpenSSH_9.2p1'],
  [/matches known_hosts \([^)]*\)/g, 'matches known_hosts (curve25519-sha256, aes128-gcm@openssh.com)'],
];

/** The commands of a session on a terminal and their output, as a page of the documentation shows them. */
export class Transcript {
  #text = '';
  readonly #replacements: Replacements;

  constructor(replacements: Replacements) {
    this.#replacements = [...replacements, ...OF_EVERY_RUN];
  }

  add(args: readonly string[], output: string): void {
    this.#text += `$ fleet-mesh ${args.join(' ')}\n${output}`;
  }

  get text(): string {
    return this.#replacements.reduce((text, [found, shown]) => text.replaceAll(found, shown), this.#text);
  }
}

const BLOCK = /(```console\n)([\s\S]*?)(```\n)/;

/** The first transcript of a page. With `record` the page gets this one before. */
export function transcriptOn(page: URL, record: string | undefined): string {
  const text = readFileSync(page, 'utf8');
  const shown = record === undefined ? text : text.replace(BLOCK, (_, head, __, tail) => head + record + tail);
  if (shown !== text) writeFileSync(page, shown);
  return BLOCK.exec(shown)?.[2] ?? '';
}
