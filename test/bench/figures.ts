/** A measured figure and its target. */
export interface Figure {
  figure: string;
  unit: "ms" | "requests" | "trips" | "x" | "MB" | "MiB" | "%" | "rows" | "files";
  /** The direction in which the target is a bound. */
  bound: "at most" | "at least";
  target: number;
  measured: number;
  /** The basis of the figure, and the spread of the rounds. */
  note?: string;
}

/** A part of the benchmark. `name` is its argument on the command line. */
export interface Part {
  name: string;
  run(report: (progress: string) => void): Promise<Figure[]>;
}

export function isMet({ bound, target, measured }: Figure): boolean {
  return bound === "at most" ? measured <= target : measured >= target;
}

/** The value below which the given share (0 to 1) of the values lies. Throws where there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  if (below === undefined || above === undefined) throw new RangeError("There is nothing to take a quantile of.");
  return below + (above - below) * (place - Math.floor(place));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The middle half of the values, as "12.1–13.4". */
export function spread(values: readonly number[], digits = 1): string {
  return `${quantile(values, 0.25).toFixed(digits)}–${quantile(values, 0.75).toFixed(digits)}`;
}

const signs = { "at most": "≤", "at least": "≥" } as const;
const headings = ["figure", "target", "measured", "met", "note"] as const;

/** The figures as a table in Markdown, for test/bench/README.md. */
export function formatTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.figure,
    `${signs[figure.bound]} ${withUnit(figure.target, figure.unit)}`,
    withUnit(figure.measured, figure.unit),
    isMet(figure) ? "yes" : "no",
    figure.note ?? "",
  ]);
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(headings), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

function withUnit(value: number, unit: Figure["unit"]): string {
  const digits = Number.isInteger(value) ? 0 : value < 10 ? 2 : 1;
  return `${value.toFixed(digits)}${unit === "%" ? "" : " "}${unit}`;
}
