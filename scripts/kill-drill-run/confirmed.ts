/** What commands have confirmed, and no later command has put in question. Undefined: either way is right. */
export class Confirmed {
  retired: boolean | undefined = false;
  route: 'tunnel' | 'successor' | undefined = 'tunnel';
  readonly recorded: string[] = [];

  /** A command begins: until its answer, nobody knows whether it has happened. */
  begin(command: Command): void {
    if (command === 'retire' || command === 'up') this.retired = undefined;
    if (command === 'cutover' || command === 'rollback') this.route = undefined;
  }

  /** The command was refused: nothing has changed. */
  refused(before: Pick<Confirmed, 'retired' | 'route'>): void {
    this.retired = before.retired;
    this.route = before.route;
  }

  done(command: Command, { outcome, done }: { readonly outcome?: string | undefined; readonly done?: boolean }): void {
    if (command === 'retire' && done) this.retired = true;
    if (command === 'up') this.retired = false;
    if (outcome === 'committed') this.route = 'successor';
    if (outcome === 'rolled_back') this.route = 'tunnel';
  }
}

export type Command = 'cutover' | 'rollback' | 'retire' | 'up' | 'down' | 'reload' | 'plan approve' | 'plan done';
