/** What a daemon took while a server attacked one of its links. */
export interface AttackFigures {
  /** Memory above the memory before, in MB. */
  readonly memoryMb: number;
  /** The longest work of the event loop without a turn, in milliseconds. */
  readonly lagMs: number;
  /** Work of the whole process, in milliseconds. */
  readonly processorMs: number;
}

/** The bounds for each attack. */
export const ATTACK_BOUNDS = { memoryMb: 64, lagMs: 100 } as const;
