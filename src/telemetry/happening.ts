/** Something that happened, to be kept as evidence. `event` names it, as `tunnel.state` does; times in it are RFC 3339. */
export type Happening = { readonly event: string } & Readonly<Record<string, unknown>>;

/** Takes note of it, as of now or of `at`. Never throws; nobody waits for the disk. */
export type TakeNote = (happening: Happening, at?: Date) => void;
