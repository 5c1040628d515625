/**
 * The table of `docs/promises.md`, written from the sabotage table so that the two cannot drift apart.
 */
import type { Sabotage } from "./table.ts";

const BEGIN = "<!-- table: written by `npm run sabotage -- --write` -->";
const END = "<!-- end of table -->";

/** Puts the table into the document. @throws {Error} when the document has lost its markers. */
export function writePromises(document: string, sabotages: readonly Sabotage[]): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("docs/promises.md has lost the markers around its table");
  return `${document.slice(0, begin + BEGIN.length)}\n\n${formatTable(sabotages)}\n\n${document.slice(end)}`;
}

function formatTable(sabotages: readonly Sabotage[]): string {
  const rows = sabotages.map(
    ({ promise, test, name, deed, file }) =>
      `| ${cell(promise)} | [${cell(name)}…](../${test}) | ${cell(deed)} ([${file.split("/").at(-1)}](../${file})) |`,
  );
  return ["| promise | the test that proves it | the sabotage it notices |", "|---|---|---|", ...rows].join(
    "\n",
  );
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
