export const KNOWN: readonly (readonly [promise: string, message: string])[] = [];
