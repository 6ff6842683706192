/** One setting of ssh(1), by its name in ssh_config(5), in lower case. */
export interface SshOption {
  readonly keyword: string;
  readonly value: string;
}

/** One run of ssh(1), whatever it was written as. Of several values of a keyword the first holds, as there. */
export interface SshEntry {
  /** Where it comes from, for comments. */
  readonly source: string;
  /** What its tunnels are to be called. */
  readonly label: string;
  readonly note: string | undefined;
  /** As written, without user and port. */
  readonly destination: string;
  readonly options: readonly SshOption[];
  /** What stands beside ssh's own settings and has no counterpart: one line each. */
  readonly remarks: readonly string[];
}

/** Why something cannot be made an entry: one line. */
export class NotTranslatable extends Error {
  override readonly name = 'NotTranslatable';
}
