/**
 * How results leave a command: a table or a sentence for people, one JSON value a line for programs.
 *
 * Every command prints through {@link Output}, so `--json` works everywhere and nothing else goes to stdout.
 */

/** Where text goes; the terminal adapter or a test's recorder. */
export interface TextSink {
  write(text: string): void;
  writeError(text: string): void;
  /** Whether a person watches stdout. */
  readonly isTerminal: boolean;
  /** Width in characters, 80 where unknown. */
  readonly columns: number;
}

export interface Output {
  readonly json: boolean;
  readonly sink: TextSink;
  /** The result: `value` with `--json`, else what `text` makes of it. */
  result(value: unknown, text: () => string): void;
  /** A remark that is no part of the result: stderr, so that it never mixes with it. */
  remark(text: string): void;
}

export function createOutput(sink: TextSink, options: { readonly json: boolean }): Output {
  return {
    json: options.json,
    sink,
    result(value, text) {
      const line = options.json ? JSON.stringify(value) : text();
      if (line !== "") sink.write(`${line}\n`);
    },
    remark(text) {
      sink.writeError(`${text}\n`);
    },
  };
}

/** Left-aligned columns, two blanks apart; numbers right-aligned. A cell is shown as it is. */
export function formatTable(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headers.map((header, column) =>
    Math.max(header.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const isNumeric = (cell: string): boolean => /^-?[\d.,]+$/.test(cell);
  // A dash stands for an absent number where there are numbers, else for an absent text.
  const rightAligned = headers.map(
    (_, column) =>
      rows.some((row) => isNumeric(row[column] ?? "")) &&
      rows.every((row) => isNumeric(row[column] ?? "") || row[column] === "-"),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return rightAligned[column] ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [line(headers), ...rows.map(line)].join("\n");
}

/** `name: value` lines with the values in one column; absent values are left out. */
export function formatFields(
  fields: readonly (readonly [string, string | number | boolean | undefined])[],
): string {
  const present = fields.filter(([, value]) => value !== undefined && value !== "");
  const width = Math.max(0, ...present.map(([name]) => name.length));
  return present.map(([name, value]) => `${`${name}:`.padEnd(width + 2)}${value}`).join("\n");
}

/** Text of a payload: as it is where it is printable UTF-8, else base64 with a mark. */
export function formatPayload(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    if (!/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text)) return text.replaceAll("\n", "\\n");
  } catch {
    // Not UTF-8: shown as base64 below.
  }
  return `base64:${Buffer.from(bytes).toString("base64")}`;
}

/** `90` → `1 min 30 s`: at most two units, whole seconds. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(Math.abs(seconds));
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ] as const;
  const parts: string[] = [];
  let left = whole;
  for (const [name, size] of units) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count} ${name}`);
    else if (parts.length > 0) break;
  }
  return parts.length === 0 ? "0 s" : parts.slice(0, 2).join(" ");
}

/** An instant beside the present: `in 4 min 10 s`, `2 h 3 min ago`, `now`. */
export function formatRelative(seconds: number): string {
  if (Math.round(seconds) === 0) return "now";
  return seconds > 0 ? `in ${formatDuration(seconds)}` : `${formatDuration(seconds)} ago`;
}
