import { messageOf, TunnelError } from '../../base/errors.ts';

/** The fields of an error in a log line. */
export interface ErrorFields {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** Messages of the cause chain, nearest first. */
  readonly causes?: readonly string[];
  readonly stack?: string;
}

const MAX_CAUSES = 5;

/**
 * A TunnelError is expected: code, message and hint say everything, so the stack is left out. A foreign error, or
 * `internal`, is a bug and keeps its original stack.
 */
export function errorFields(error: unknown): ErrorFields {
  const code = error instanceof TunnelError ? error.code : foreignCode(error);
  const causes = causeMessages(error);
  const expected = error instanceof TunnelError && error.code !== 'internal';
  const stack = expected ? undefined : originalStack(error);
  return {
    code,
    message: messageOf(error),
    ...(error instanceof TunnelError ? { hint: error.hint } : {}),
    ...(causes.length > 0 ? { causes } : {}),
    ...(stack !== undefined ? { stack } : {}),
  };
}

function foreignCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'internal';
}

function chain(error: unknown): unknown[] {
  const links: unknown[] = [];
  let current = error;
  while (current instanceof Error && current.cause !== undefined && links.length < MAX_CAUSES) {
    current = current.cause;
    links.push(current);
  }
  return links;
}

function causeMessages(error: unknown): string[] {
  const own = messageOf(error);
  return chain(error)
    .map(messageOf)
    .filter((message) => message !== own);
}

/** `TunnelError.from` wraps a bug, so the useful stack is the one of the innermost cause. */
function originalStack(error: unknown): string | undefined {
  const innermost = [error, ...chain(error)].findLast((link) => link instanceof Error);
  return innermost instanceof Error ? innermost.stack : undefined;
}
