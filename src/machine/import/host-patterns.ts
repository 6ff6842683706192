import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { filesOfPattern } from './file-pattern.ts';

/** ssh_config(5): Include goes this deep. */
const DEEPEST = 16;

/** Whether the text is a pattern of ssh_config(5), not a host. */
export function isPattern(text: string): boolean {
  return /[*?]/.test(text);
}

/** Names of hosts in the configuration files that the pattern matches, in the order of the files. */
export async function hostsOfPattern(pattern: string, file: string | undefined): Promise<string[]> {
  const files = file === undefined ? [join(homedir(), '.ssh/config'), '/etc/ssh/ssh_config'] : [file];
  const lines = (await Promise.all(files.map((path) => linesOf(path, 0)))).flat();
  const named = lines.flatMap((line) => {
    const [, list = ''] = /^\s*host(?:\s+|\s*=\s*)(.*?)\s*$/i.exec(line) ?? [];
    return list.split(/\s+/).map((word) => word.replace(/^"(.*)"$/, '$1'));
  });
  const source = [...pattern].map((char) =>
    char === '*' ? '.*' : char === '?' ? '.' : `\\u{${char.codePointAt(0)?.toString(16)}}`,
  );
  const matches = new RegExp(`^${source.join('')}$`, 'u');
  return [...new Set(named)].filter((name) => name !== '' && !/^!|[*?]/.test(name) && matches.test(name));
}

async function linesOf(path: string, depth: number): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, list] = /^\s*include(?:\s+|\s*=\s*)(.*?)\s*$/i.exec(line) ?? [];
    if (list === undefined || depth >= DEEPEST) lines.push(line);
    else for (const each of await includedBy(list)) lines.push(...(await linesOf(each, depth + 1)));
  }
  return lines;
}

/** A relative Include belongs to ~/.ssh. A pattern may be in the last part of the path. */
async function includedBy(list: string): Promise<string[]> {
  const paths = list
    .split(/\s+/)
    .map((word) => resolve(join(homedir(), '.ssh'), word.replace(/^"(.*)"$/, '$1').replace(/^~(?=\/)/, homedir())));
  const found: string[] = [];
  for (const path of paths) {
    found.push(...(await filesOfPattern(path)));
  }
  return found;
}
