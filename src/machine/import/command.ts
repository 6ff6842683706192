import { basename } from 'node:path';
import { splitCommand } from '../../config/command-line.ts';
import { loss, NotTranslatable, note, type Remark } from './entry.ts';

/** A command that runs ssh(1) or autossh(1), found behind its wrappers. */
export interface SshCommand {
  readonly program: 'ssh' | 'autossh';
  readonly words: readonly string[];
  readonly remarks: readonly Remark[];
}

/** Programs that start another program, and their flags with a value. */
const WRAPPERS: Readonly<Record<string, string>> = {
  env: 'uCS',
  exec: 'a',
  nice: 'n',
  ionice: 'cn',
  nohup: '',
  setsid: '',
  stdbuf: 'ioe',
  timeout: 'sk',
  sshpass: 'fdpP',
  sudo: 'ugC',
  'systemd-cat': 'tp',
  'systemd-inhibit': '',
  unbuffer: '',
};

const SHELLS = /^(ba|da|z|k)?sh$/;

/** Finds ssh in the words of ExecStart=. No message contains a word that could be a secret. Throws {@link NotTranslatable}. */
export function findSsh(command: readonly string[]): SshCommand {
  const [leading = '', ...others] = command;
  const prefix = /^[-@:+!|]*/.exec(leading)?.[0] ?? '';
  // After "@" the second word is argv[0] of the program.
  let words = [leading.slice(prefix.length), ...(prefix.includes('@') ? others.slice(1) : others)];
  const remarks: Remark[] = [];
  for (let depth = 0; depth < 8; depth++) {
    const name = basename(words[0] ?? '');
    if (name === 'ssh' || name === 'autossh') return { program: name, words: words.slice(1), remarks };
    if (SHELLS.test(name)) words = scriptOf(name, words.slice(1));
    else if (Object.hasOwn(WRAPPERS, name)) {
      if (name === 'sshpass') remarks.push(loss('sshpass is not translated: fleet-mesh logs in with a key only.'));
      if (name === 'sudo') remarks.push(loss('sudo is not translated: fleet-mesh runs as one user.'));
      if (name === 'timeout') remarks.push(note('timeout is left out: a tunnel of fleet-mesh has no end.'));
      words = afterWrapper(name, words.slice(1));
    } else throw new NotTranslatable(`the command runs ${name || 'nothing'}, not ssh`);
  }
  throw new NotTranslatable('the command hides ssh behind too many programs');
}

/** The script of `sh -c`, if it is one plain command. */
function scriptOf(shell: string, args: readonly string[]): string[] {
  const at = args.findIndex((word) => /^-\w*c$/.test(word));
  const script = at === -1 ? undefined : args[at + 1];
  if (script === undefined) throw new NotTranslatable(`the command runs ${shell} with a script, not ssh`);
  const words = splitCommand(script.trim().replace(/;$/, ''), '~');
  if ('fault' in words) throw new NotTranslatable(`the command runs a script of ${shell}, not ssh alone`);
  return [...words];
}

/** The words behind the flags, the variables and the time limit of a wrapper. */
function afterWrapper(name: string, args: readonly string[]): string[] {
  const rest = [...args];
  const valued = WRAPPERS[name] ?? '';
  while (rest[0]?.startsWith('-')) {
    const flag = rest.shift() ?? '';
    if (flag.length === 2 && valued.includes(flag.charAt(1))) rest.shift();
  }
  while (/^\w+=/.test(rest[0] ?? '')) rest.shift();
  if (name === 'timeout') rest.shift();
  return rest;
}

/** Remote commands that only keep the session open. */
const KEEPERS = /^(sleep( \S+)?|cat|tail -f \/dev\/null|read)$/;

/** Whether the remote command has no work of its own. */
export function onlyKeepsOpen(command: readonly string[]): boolean {
  return KEEPERS.test(command.join(' ').trim());
}
