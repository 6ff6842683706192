import { labelsText } from './family-text.ts';

type Labels = Readonly<Record<string, string>>;

export interface HistogramOptions {
  /** With the prefix. */
  readonly name: string;
  readonly help: string;
  /** Upper bounds in rising order, in seconds; the last bucket has none. */
  readonly bounds: readonly number[];
}

interface Series {
  /** Without braces. */
  readonly labels: string;
  /** Not cumulative; the last one is beyond all bounds. */
  readonly buckets: Float64Array;
  sum: number;
}

/**
 * A distribution of durations for each set of labels, in the text format 0.0.4, as prom-client writes it. prom-client makes
 * an object for each line of a page, and a dictionary for each series: a page of a thousand tunnels has 13,000 such lines.
 */
export class Histogram {
  readonly #options: HistogramOptions;
  /** The start of each line of a bucket, up to the other labels. */
  readonly #heads: readonly string[];
  readonly #series = new Map<string, Series>();

  constructor(options: HistogramOptions) {
    this.#options = options;
    const { name, bounds } = options;
    this.#heads = [...bounds.map(String), '+Inf'].map((bound) => `\n${name}_bucket{le="${bound}"`);
  }

  /** The series exists from now on, also without an observation. */
  touch(labels: Labels): void {
    this.#of(labels);
  }

  observe(labels: Labels, seconds: number): void {
    const series = this.#of(labels);
    const index = this.#options.bounds.findIndex((bound) => seconds <= bound);
    const { buckets } = series;
    const bucket = index < 0 ? buckets.length - 1 : index;
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    series.sum += seconds;
  }

  remove(labels: Labels): void {
    this.#series.delete(labelsText(labels));
  }

  text(): string {
    const { name, help } = this.#options;
    const texts = [`# HELP ${name} ${help}\n# TYPE ${name} histogram`];
    for (const [braced, series] of this.#series) texts.push(this.#seriesText(braced, series));
    return texts.join('');
  }

  #seriesText(braced: string, { labels, buckets, sum }: Series): string {
    const { name } = this.#options;
    const end = labels === '' ? '} ' : `,${labels}} `;
    const parts: (string | number)[] = [];
    let count = 0;
    for (let index = 0; index < buckets.length; index++) {
      count += buckets[index] ?? 0;
      parts.push(this.#heads[index] ?? '', end, count);
    }
    parts.push('\n', name, '_sum', braced, ' ', sum, '\n', name, '_count', braced, ' ', count);
    return parts.join('');
  }

  #of(labels: Labels): Series {
    const key = labelsText(labels);
    let series = this.#series.get(key);
    if (!series) {
      series = { labels: key.slice(1, -1), buckets: new Float64Array(this.#heads.length), sum: 0 };
      this.#series.set(key, series);
    }
    return series;
  }
}
