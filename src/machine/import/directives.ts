import { basename } from 'node:path';
import { loss, note, type Remark } from './entry.ts';
import { type Directive, valuesOf } from './unit-file.ts';
import { splitWords } from './words.ts';

/** Settings that end with the unit: the daemon has its own. */
const SUPERSEDED =
  /^(Restart|Type|Start|Timeout|Kill|Success|RemainAfterExit|After|Before|Wants|Requires|BindsTo|PartOf|WantedBy|RequiredBy|Alias|Documentation|Guess|PIDFile|Environment$|EnvironmentFile$|User$|Group$|Exec(Reload|Stop|StopPost)$)/;

/** Settings that change the network or the files which ssh sees. */
const DECISIVE =
  /^(NetworkNamespacePath|JoinsNamespaceOf|PrivateNetwork|RootDirectory|RootImage|RestrictNetworkInterfaces|Sockets|StandardInput)$/;

/** Commands before the start that only wait. */
const WAITING =
  /^(sleep|ping|true|nm-online|systemd-networkd-wait-online|systemd-networkd-wait-online\.service|test|getent)$/;

/** Remarks on the settings of the unit that are no part of the ssh command. Values that may be secrets are left out. */
export function remarksOnDirectives(directives: readonly Directive[]): Remark[] {
  const others = directives.filter(({ key }) => !/^(ExecStart|Description|LoadCredential|DynamicUser)$/.test(key));
  const ending = others.filter(({ key }) => SUPERSEDED.test(key)).map(shown);
  const remaining = others.filter(({ key }) => !SUPERSEDED.test(key));
  const decisive = remaining.filter(({ key, value }) => DECISIVE.test(key) && !/^(no|false|null|)$/.test(value));
  const prepared = remaining.filter(({ key }) => /^Exec(StartPre|StartPost|Condition)$/.test(key));
  const own = remaining.filter((each) => !DECISIVE.test(each.key) && !prepared.includes(each));
  const credentials = valuesOf(directives, 'Service', 'LoadCredential').map((value) => `LoadCredential=${value}`);
  return [
    ...(ending.length === 0 ? [] : [note(`These settings end with the unit: ${ending.join(', ')}.`)]),
    ...(own.length === 0
      ? []
      : [note(`The unit of fleet-mesh has its own settings for ${own.map(shown).join(', ')}.`)]),
    ...decisive.map((each) => loss(`${shown(each)} is not translated: it changes the network or the files of ssh.`)),
    ...prepared.map((each) =>
      WAITING.test(programOf(each.value))
        ? note(`${shown(each)} is left out: fleet-mesh tries again until the host answers.`)
        : loss(`${shown(each)} is not translated: run the command elsewhere, if it is still needed.`),
    ),
    ...credentials.map((line) => note(`Write ${line} into the unit of fleet-mesh.`)),
  ];
}

function programOf(command: string): string {
  return basename(/^[-@:+!|]*(\S*)/.exec(command)?.[1] ?? '');
}

/** Only names of variables, programs and credentials: values and arguments may be secrets. */
function shown({ key, value }: Directive): string {
  if (key === 'Environment') return `${key}=${assignedNames(value).join(' ')}`;
  if (/^Exec/.test(key)) return `${key}= (${programOf(value)})`;
  if (/Credential/.test(key)) return `${key}=${value.split(':')[0]}`;
  return `${key}=${value}`;
}

/** The names in `A=b "C=d e"`, each with a mark for its value. */
function assignedNames(line: string): string[] {
  try {
    return splitWords(line).map((word) => (word.includes('=') ? word.replace(/=.+$/s, '=…') : '…'));
  } catch {
    return ['…'];
  }
}
