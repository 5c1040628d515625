/**
 * Metrics of the hot path: added to as plain numbers, told when somebody scrapes.
 *
 * A labelled `inc` or `observe` of the library hashes its labels each time; with three of them a message spent a
 * tenth of its CPU on being counted. Here the series is chosen once and adding is an addition.
 */
import { Counter, type CounterConfiguration } from "prom-client";

/** One series of a counter. */
export interface Tally {
  add(amount: number): void;
}

/** A counter of prom-client whose series are added to as plain numbers. */
export function createTalliedCounter<Label extends string>(
  configuration: Omit<CounterConfiguration<Label>, "collect">,
): { of(labels: Partial<Record<Label, string | number>>): Tally } {
  const untold: (() => void)[] = [];
  const counter = new Counter<Label>({
    ...configuration,
    collect() {
      for (const tell of untold) tell();
    },
  });
  return {
    of(labels) {
      let amountUntold = 0;
      untold.push(() => {
        if (amountUntold > 0) counter.inc(labels, amountUntold);
        amountUntold = 0;
      });
      return {
        add(amount) {
          amountUntold += amount;
        },
      };
    },
  };
}

export interface TalliedHistogram<Value extends string> {
  observe(value: Value, observed: number): void;
  /** Prometheus text format, HELP and TYPE included. */
  text(): string;
}

/**
 * A histogram with one label of known values. The library's own can't be given sums, so it writes its text itself
 * (Prometheus text format 0.0.4: cumulative `_bucket`s up to +Inf, `_sum`, `_count`).
 *
 * @param shape `upperBounds` ascending, +Inf not among them; `values` need no escaping.
 */
export function createTalliedHistogram<const Value extends string>(shape: {
  readonly name: string;
  readonly help: string;
  readonly label: string;
  readonly values: readonly Value[];
  readonly upperBounds: readonly number[];
}): TalliedHistogram<Value> {
  const { name, help, label, upperBounds } = shape;
  const series = new Map(
    shape.values.map((value) => [value, { counts: new Float64Array(upperBounds.length + 1), sum: 0 }]),
  );

  return {
    observe(value, observed) {
      const one = series.get(value);
      if (one === undefined) return;
      let bucket = 0;
      while (bucket < upperBounds.length && observed > (upperBounds[bucket] ?? 0)) bucket += 1;
      one.counts[bucket] = (one.counts[bucket] ?? 0) + 1;
      one.sum += observed;
    },
    text() {
      const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
      for (const [value, { counts, sum }] of series) {
        let cumulative = 0;
        for (const [index, count] of counts.entries()) {
          cumulative += count;
          lines.push(
            `${name}_bucket{le="${upperBounds[index] ?? "+Inf"}",${label}="${value}"} ${cumulative}`,
          );
        }
        lines.push(
          `${name}_sum{${label}="${value}"} ${sum}`,
          `${name}_count{${label}="${value}"} ${cumulative}`,
        );
      }
      return `${lines.join("\n")}\n`;
    },
  };
}
