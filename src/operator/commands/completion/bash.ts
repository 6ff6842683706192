import { NAMES_COMMAND } from './offer-names.ts';
import { type CommandOutline, leavesOf, type Offer, type OptionOutline } from './outline.ts';

/** Completion for bash. The package bash-completion only has to find the file. */
export function bashCompletion(program: CommandOutline): string {
  const leaves = leavesOf(program);
  const everyOption = [program, ...leaves.map(([, leaf]) => leaf)].flatMap(({ options }) => options);
  const withValue = unique(everyOption.filter(({ value }) => value !== undefined).flatMap(spellings));
  return `# bash completion for ${program.name}(1)
_${identifier(program.name)}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command= words= files= names= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${withValue.join(' | ')}) ((i++)) ;;
      -*) ;;
      *)
        case "$command \${COMP_WORDS[i]}" in
          ${callable(program)
            .map((words) => `' ${words}'`)
            .join(' | ')}) command+=" \${COMP_WORDS[i]}" ;;
        esac
        ;;
    esac
  done
  case $prev in
    ${withValue.join(' | ')})
      case "$command $prev" in
${valueCases(program).join('\n')}
        *) return ;;
      esac
      ;;
    *)
      case $command in
${cases(program).join('\n')}
      esac
      ;;
  esac
  if [[ -n $names && $cur != -* ]]; then
    words=$(${program.name} ${NAMES_COMMAND} "$names" "\${COMP_WORDS[@]}" 2>/dev/null)
  fi
  [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
  if [[ -n $files && $cur != -* ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
  fi
}
complete -F _${identifier(program.name)} ${program.name}
`;
}

/** What follows an option with a value. */
function valueCases(command: CommandOutline, words: readonly string[] = []): string[] {
  const called = words.map((word) => ` ${word}`).join('');
  return [
    ...command.options.flatMap((option) => {
      const set = settings(option.offer);
      return set === '' ? [] : spellings(option).map((name) => `        '${called} ${name}')${set} ;;`);
    }),
    ...command.commands.flatMap((each) => valueCases(each, [...words, each.name])),
  ];
}

function settings(offer: Offer): string {
  if (offer.kind === 'words') return ` words='${offer.words.join(' ')}'`;
  if (offer.kind === 'names') return ` names=${offer.of}`;
  return offer.kind === 'files' ? ' files=yes' : '';
}

function cases(command: CommandOutline, words: readonly string[] = []): string[] {
  const closed = command.arguments.flatMap(({ offer }) => (offer.kind === 'words' ? offer.words : []));
  const offered = [...closed, ...command.commands.map(({ name }) => name), ...command.options.flatMap(spellings)];
  const open = command.arguments.map(({ offer }) => offer).filter(({ kind }) => kind === 'names' || kind === 'files');
  const called = words.map((word) => ` ${word}`).join('');
  return [
    `        '${called}') words='${offered.join(' ')}'${unique(open.map(settings)).join('')} ;;`,
    ...command.commands.flatMap((each) => cases(each, [...words, each.name])),
  ];
}

/** The words of every command and of every group of commands. */
function callable(command: CommandOutline, words: readonly string[] = []): string[] {
  return command.commands.flatMap((each) => {
    const all = [...words, each.name];
    return [all.join(' '), ...callable(each, all)];
  });
}

function spellings({ short, long }: OptionOutline): string[] {
  return short === undefined ? [long] : [short, long];
}

const identifier = (name: string) => name.replaceAll('-', '_');
const unique = (names: readonly string[]) => [...new Set(names)];
