/** One setting of ssh(1): its keyword in ssh_config(5), in lower case, and its value. */
export interface SshOption {
  readonly keyword: string;
  readonly value: string;
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
  /** Settings outside ssh itself that were not translated, one line each. */
  readonly remarks: readonly string[];
}

/** The input cannot become an entry; the message is one line. */
export class NotTranslatable extends Error {
  override readonly name = 'NotTranslatable';
}
