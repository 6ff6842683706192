/** Whether the user wants no colours: NO_COLOR (no-color.org: set and not empty), or a terminal that only prints. */
export function wantsNoColour({ NO_COLOR, TERM }: Readonly<Record<string, string | undefined>>): boolean {
  return (NO_COLOR !== undefined && NO_COLOR !== '') || isDumb({ TERM });
}

/** A terminal without escape sequences, such as the shell of an editor: nothing is drawn again in place. */
export function isDumb({ TERM }: { readonly TERM?: string | undefined }): boolean {
  return TERM === 'dumb';
}
