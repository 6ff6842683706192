/** One thing that is done to a node. Data: planned without looking, shown without doing, done without deciding. */
export type Step =
  | { readonly kind: 'copy-tree'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove-tree'; readonly path: string }
  | {
      readonly kind: 'write';
      readonly path: string;
      readonly text: string;
      readonly mode: number;
      /** Where the text comes from, for those who are shown it; undefined: it is shown itself. */
      readonly source: string | undefined;
    }
  /** A file or a link, and the directories that are left empty by that. */
  | { readonly kind: 'remove'; readonly path: string }
  /** A directory, unless somebody has put something there. */
  | { readonly kind: 'remove-empty'; readonly path: string }
  /** A symbolic link, replaced in one go. */
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  | {
      readonly kind: 'command';
      readonly argv: readonly [string, ...string[]];
      /** How it is told, where all of it would hide what matters. */
      readonly told?: string;
      /** What it is for, where that is not plain. */
      readonly what?: string;
      /** In milliseconds. */
      readonly timeoutMs?: number;
    }
  /** Until something listens on each of the TCP ports of this node. */
  | { readonly kind: 'await-ports'; readonly ports: readonly number[] };

/** Runs a program and its arguments. */
export function command(program: string, ...rest: readonly string[]): Step {
  return { kind: 'command', argv: [program, ...rest] };
}

/** Writes a file that everybody may read (0644). */
export function write(path: string, text: string, source: string | undefined): Step {
  return { kind: 'write', path, text, mode: 0o644, source };
}

/** What the step does, for `--dry-run` and for the one who watches; whole lines. Pure. */
export function describeStep(step: Step): string[] {
  switch (step.kind) {
    case 'copy-tree':
      return [`copy   ${step.to}`];
    case 'remove-tree':
      return [`remove ${step.path}/`];
    case 'write':
      return step.source === undefined
        ? [
            `write  ${step.path}:`,
            ...step.text
              .trimEnd()
              .split('\n')
              .map((line) => `         ${line}`),
          ]
        : [`write  ${step.path} (${step.source})`];
    case 'remove':
      return [`remove ${step.path}`];
    case 'remove-empty':
      return [`remove ${step.path}/ if it is empty`];
    case 'link':
      return [`link   ${step.path} -> ${step.to}`];
    case 'command':
      return [`run    ${step.told ?? step.argv.join(' ')}${step.what === undefined ? '' : `   # ${step.what}`}`];
    case 'await-ports':
      return [`wait   until something listens on ${step.ports.join(', ')}`];
  }
}
