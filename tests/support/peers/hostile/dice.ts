import { seeded } from '../../certificates/mutated-certificate.ts';

/** Numbers at the edges of what a reader may expect. */
const EDGES = [0, 1, 4, 8, 255, 256, 32_767, 32_768, 35_000, 262_144, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/** Random choices that a seed repeats. */
export class Dice {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  pick<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0];
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }

  uint32(): number {
    return this.chance(0.7) ? (EDGES[this.below(EDGES.length)] ?? 0) : this.below(2 ** 32);
  }

  /** Text of a few bytes, rarely of many. */
  text(): Buffer {
    const length = this.chance(0.05) ? this.below(40_000) : this.below(40);
    return this.chance(0.5) ? Buffer.alloc(length, 'x') : this.bytes(Math.min(length, 2_000));
  }
}
