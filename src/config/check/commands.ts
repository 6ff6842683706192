import { didYouMean } from '../../base/text/closest.ts';
import { splitCommand } from '../command-line.ts';
import { bodies, type Outline, type OutlineActor } from '../outline.ts';
import { namesCredential, type Places, resolvePath } from '../paths.ts';
import type { Finding } from '../problem.ts';

const EMPTY = 'is empty; expected a command to run';
const PLACEHOLDERS = ['{pubkey}'];

/** `{word}`, but not `{{word}}`, which may be a template of the program. */
const PLACEHOLDER = /(?<![{$])\{[A-Za-z_-]+\}(?!\})/g;

/**
 * Checks each `cert_command`: it splits into words, names a program, and has no placeholder except `{pubkey}`. A
 * command without placeholder is valid: `cat` prints a certificate that another program renews. A missing program is
 * found only when the command runs.
 */
export function checkCommands(outline: Outline, places: Places): Finding[] {
  return bodies(outline.actors).flatMap(([name, actor]) => checkActor(name, actor, places));
}

function checkActor(
  name: string,
  { key, cert_command: command, cert_timeout }: OutlineActor,
  places: Places,
): Finding[] {
  const path = ['actors', name, 'cert_command'];
  if (command === undefined) {
    if (cert_timeout === undefined) return [];
    const message = 'has no effect without cert_command; expected both or none';
    return [{ path: ['actors', name, 'cert_timeout'], message, at: 'key' }];
  }
  const findings: Finding[] = [];
  if (key === 'agent') {
    const message = 'cannot be used with key: agent; expected a private key file, or the certificate in the agent';
    findings.push({ path, message, at: 'key' });
  }
  if (Array.isArray(command)) {
    const [program] = command as unknown[];
    if (program === '') findings.push({ path: [...path, 0], message: EMPTY, at: 'value' });
    return [
      ...findings,
      ...command.flatMap((word, index) => {
        const at = [...path, index];
        return [...checkPlaceholders(word, at), ...checkCredential(word, at, places)];
      }),
    ];
  }
  if (typeof command !== 'string') return findings;
  // The home directory does not affect the faults.
  const words = splitCommand(command, '~');
  if ('fault' in words) findings.push({ path, message: words.fault, at: 'value' });
  else if (words[0] === '') findings.push({ path, message: EMPTY, at: 'value' });
  const credentials = 'fault' in words ? [] : words.flatMap((word) => checkCredential(word, path, places));
  return [...findings, ...checkPlaceholders(command, path), ...credentials];
}

/** A credential file of systemd has another path in each unit, so commands also write credential:NAME. */
function checkCredential(word: unknown, path: Finding['path'], places: Places): Finding[] {
  if (typeof word !== 'string' || !namesCredential(word)) return [];
  const resolved = resolvePath(word, places);
  return 'fault' in resolved ? [{ path, message: resolved.fault, at: 'value' }] : [];
}

function checkPlaceholders(text: unknown, path: Finding['path']): Finding[] {
  if (typeof text !== 'string') return [];
  return [...text.matchAll(PLACEHOLDER)].flatMap(([found]): Finding[] => {
    if (PLACEHOLDERS.includes(found)) return [];
    const hint = didYouMean(found, PLACEHOLDERS);
    return [{ path, message: `has the unknown placeholder ${found}; expected {pubkey}${hint}`, at: 'value' }];
  });
}
