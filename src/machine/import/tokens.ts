/** The values of tokens in ssh_config(5), TOKENS. */
export interface TokenValues {
  /** The address that ssh connects to. */
  readonly address: string;
  /** The destination as written. */
  readonly destination: string;
  readonly port: number;
  readonly user: string;
  readonly localUser: string;
}

/** Expands the tokens of a path. `%d` becomes `~`. Undefined for a token or a variable of unknown value. */
export function expandTokens(text: string, values: TokenValues): string | undefined {
  const known: Readonly<Record<string, string>> = {
    '%': '%',
    d: '~',
    h: values.address,
    n: values.destination,
    k: values.destination,
    p: String(values.port),
    r: values.user,
    u: values.localUser,
  };
  let complete = !/\$\{\w+\}/.test(text);
  const expanded = text.replace(/%(.?)/gs, (_, letter: string) => {
    const value = Object.hasOwn(known, letter) ? known[letter] : undefined;
    if (value === undefined) complete = false;
    return value ?? '';
  });
  return complete ? expanded : undefined;
}
