import { createRequire } from 'node:module';

const manifest: unknown = createRequire(import.meta.url)('../package.json');

/** As in package.json, the one place where it is written. */
export const version = String((manifest as { version?: unknown }).version);
