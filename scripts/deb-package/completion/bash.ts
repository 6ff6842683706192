import { type CommandOutline, isFile, leavesOf, type OptionOutline } from '../../reference/command-outline.ts';

/** Completion for bash. The package bash-completion only has to find the file. */
export function bashCompletion(program: CommandOutline): string {
  const leaves = leavesOf(program);
  const everyOption = [program, ...leaves.map(([, leaf]) => leaf)].flatMap(({ options }) => options);
  const withValue = unique(everyOption.filter(({ value }) => value !== undefined).flatMap(spellings));
  const withFile = unique(everyOption.filter(({ value }) => isFile(value)).flatMap(spellings));
  return `# bash completion for ${program.name}(1)
_${identifier(program.name)}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command= words= files= i
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
    ${withFile.join(' | ')})
      files=yes
      ;;
    ${withValue.filter((name) => !withFile.includes(name)).join(' | ')})
      return
      ;;
    *)
      case $command in
${cases(program).join('\n')}
      esac
      ;;
  esac
  [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
  if [[ -n $files && $cur != -* ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
  fi
}
complete -F _${identifier(program.name)} ${program.name}
`;
}

function cases(command: CommandOutline, words: readonly string[] = []): string[] {
  const offered = [...command.commands.map(({ name }) => name), ...command.options.flatMap(spellings)].join(' ');
  const files = command.arguments.some(({ name }) => isFile(name)) ? ' files=yes' : '';
  const called = words.map((word) => ` ${word}`).join('');
  return [
    `        '${called}') words='${offered}'${files} ;;`,
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
