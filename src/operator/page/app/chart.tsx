import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

export interface Series {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** A CSS variable with the colour. */
  readonly colour: string;
}

export interface ChartProps {
  readonly title: string;
  /** Seconds since the epoch of each sample. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** Whether fractions make no sense: half a connection does not exist. */
  readonly isWhole?: boolean;
}

const HEIGHT = 150;
/** Steps between lines without fractions. */
const WHOLE = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

/** A small line chart of the last hour, with the latest values in words. */
export function Chart(props: ChartProps) {
  const { title, times, series, format } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const data = [times, ...series.map(({ values }) => values)] as uPlot.AlignedData;
  const latest = series.map(({ label, values }) => {
    const value = values.at(-1);
    return `${label}: ${value == null ? 'none' : format(value)}`;
  });

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsFor(element.clientWidth, props), data, element);
    };
    draw();
    const resized = new ResizeObserver(([entry]) =>
      plot.current?.setSize({ width: entry?.contentRect.width ?? 300, height: HEIGHT }),
    );
    resized.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      scheme.removeEventListener('change', draw);
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [times]);

  return (
    <figure class="card chart">
      <figcaption>
        <b>{title}</b> <span class="muted">{latest.join(' · ')}</span>
      </figcaption>
      <div ref={place} role="img" aria-label={`${title}, last hour. Now ${latest.join(', ')}`} />
    </figure>
  );
}

function timeOfDay(seconds: number): string {
  return new Date(seconds * 1_000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
}

/** Close values may have the same text: then only the first one has the text. */
function unrepeated(texts: readonly string[]): string[] {
  return texts.map((text, index) => (text === texts[index - 1] ? '' : text));
}

function optionsFor(width: number, { series, format, isWhole }: ChartProps): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name);
  const axis = { stroke: colour('--muted'), grid: { stroke: colour('--line') }, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      { ...axis, space: 90, size: 32, values: (_, times) => unrepeated(times.map(timeOfDay)) },
      {
        ...axis,
        size: 64,
        ...(isWhole === true ? { incrs: WHOLE } : {}),
        values: (_, values) => unrepeated(values.map(format)),
      },
    ],
    series: [
      {},
      ...series.map(({ label, colour: name }) => ({
        label,
        stroke: colour(name),
        width: 2,
        points: { show: false },
        fill: `${colour(name).trim()}22`,
      })),
    ],
  };
}
