/** Why a tunnel may not go yet (SPEC section 6). */
export const BLOCKER_CODES = [
  'wave_open',
  'gate_closed',
  'successor_unhealthy',
  'still_open',
  'recent_use',
  'dependent_tunnel',
  'cutover_in_progress',
  'no_rollback',
] as const;
export type BlockerCode = (typeof BLOCKER_CODES)[number];

/** Why it cannot be told whether it may. */
export const UNKNOWN_CODES = ['observation_gap', 'down_in_window'] as const;
export type UnknownCode = (typeof UNKNOWN_CODES)[number];

export type FindingCode = BlockerCode | UnknownCode;

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
