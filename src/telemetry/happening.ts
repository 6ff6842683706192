/** An entry for the evidence log. `event` is its public name, such as `tunnel.state`. Times are RFC 3339. */
export type Happening = { readonly event: string } & Readonly<Record<string, unknown>>;

/** Records an entry with the time `at`, now by default. Never throws, and never waits for the disk. */
export type TakeNote = (happening: Happening, at?: Date) => void;
