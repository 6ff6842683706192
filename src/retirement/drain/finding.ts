import type { FindingCode } from '../../telemetry/status/finding-codes.ts';

/** One reason why the verdict is not `retirable`. */
export interface Finding<Code extends FindingCode = FindingCode> {
  readonly code: Code;
  /** One sentence for a person. */
  readonly message: string;
  /** Since when it holds; undefined where nobody knows. */
  readonly since: Date | undefined;
  /** What has to be, in words. */
  readonly clearsWhen: string;
  /** The moment at which it clears if nothing else happens; undefined for what time alone does not mend. */
  readonly clearsAt: Date | undefined;
  /** Whether waiting can help at all: false where a person has to do something first. */
  readonly clearsByItself: boolean;
  readonly examples: readonly string[];
}

type Details = Partial<Pick<Finding, 'since' | 'clearsAt' | 'clearsByItself' | 'examples'>>;

/** A finding that waiting may clear, unless said otherwise. */
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
