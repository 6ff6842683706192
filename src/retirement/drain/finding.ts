import type { FindingCode } from '../../telemetry/status/finding-codes.ts';

/** One reason why the verdict is not `retirable`. */
export interface Finding<Code extends FindingCode = FindingCode> {
  readonly code: Code;
  /** One sentence for a person. */
  readonly message: string;
  /** When the finding began; undefined if unknown. */
  readonly since: Date | undefined;
  /** The condition that clears the finding, in words. */
  readonly clearsWhen: string;
  /** When the finding clears if nothing else happens; undefined if time alone does not clear it. */
  readonly clearsAt: Date | undefined;
  /** Whether waiting can help. False: a person must act first. */
  readonly clearsByItself: boolean;
  readonly examples: readonly string[];
}

type Details = Partial<Pick<Finding, 'since' | 'clearsAt' | 'clearsByItself' | 'examples'>>;

/** A finding that waiting may clear, unless `details` say otherwise. */
export function finding<Code extends FindingCode>(
  code: Code,
  message: string,
  clearsWhen: string,
  details: Details = {},
): Finding<Code>[] {
  return [
    {
      code,
      message,
      clearsWhen,
      since: undefined,
      clearsAt: undefined,
      clearsByItself: true,
      examples: [],
      ...details,
    },
  ];
}
