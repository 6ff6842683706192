/** One setting of ssh(1): its keyword in ssh_config(5), in lower case, and its value. */
export interface SshOption {
  readonly keyword: string;
  readonly value: string;
}

/** One sentence about a setting, for a person. Never contains a secret. */
export interface Remark {
  readonly text: string;
  /** The tunnel YAML lacks a forward, or a setting that changes where or how ssh connects. */
  readonly lost: boolean;
}

export function note(text: string): Remark {
  return { text, lost: false };
}

export function loss(text: string): Remark {
  return { text, lost: true };
}

/** A user of this machine. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** One run of ssh(1), from a unit or from ssh_config. If a keyword has several values, the first wins, as in ssh. */
export interface SshEntry {
  /** The file or unit of the entry, for comments. */
  readonly source: string;
  /** The name for its tunnels. */
  readonly label: string;
  readonly note: string | undefined;
  /** The destination as written, without user and port. */
  readonly destination: string;
  readonly options: readonly SshOption[];
  /** The user who runs ssh: the login user unless an option names one. */
  readonly localUser: string;
  /** The home of that user, if `~` of the daemon may be another directory. */
  readonly home: string | undefined;
  /** Whether a unit of the system runs ssh: the unit of fleet-mesh sees no homes, a unit of ssh may. */
  readonly system?: boolean;
  /** The file of `ssh -F`. */
  readonly configFile: string | undefined;
  /** Who runs `ssh -G` for the configuration file, if not this user. */
  readonly account?: Account | undefined;
  /** The identity, if the source names it: its name, and the command that signs its key. */
  readonly actor?: { readonly name: string | undefined; readonly certCommand: string | readonly string[] | undefined };
  /** Whether ssh has an agent of its own in SSH_AUTH_SOCK. */
  readonly agent?: boolean;
  readonly remarks: readonly Remark[];
}

/** The value of the keyword that ssh uses. */
export function first({ options }: Pick<SshEntry, 'options'>, keyword: string): string | undefined {
  return options.find((option) => option.keyword === keyword)?.value;
}

/** The input cannot become an entry; the message is one line without secrets. */
export class NotTranslatable extends Error {
  override readonly name = 'NotTranslatable';
}
