/** Whether a text has nothing that a person can see: only spaces, marks without width, and the like. */
export function isBlank(text: string): boolean {
  return !/[^\p{Z}\p{C}]/u.test(text);
}
