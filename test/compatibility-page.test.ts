/** docs/reference/compatibility.md says how we compare with Cloud IoT Core, row by row: its rows are whole, and their tests exist. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../tools/program.ts";

/** Where a file lies that is named without a folder. */
const FOLDERS = ["test/iot-core", "packages/server/src/mqtt"];

interface Row {
  readonly section: string;
  readonly cells: readonly string[];
}

interface Reference {
  readonly file: string | undefined;
  /** How the test's name begins, or the row of the table it is made of. */
  readonly beginning: string;
}

const page = readFileSync(join(ROOT, "docs/reference/compatibility.md"), "utf8");
const rows = readRows(page);

function readRows(text: string): readonly Row[] {
  let section = "";
  return text.split("\n").flatMap((line) => {
    if (line.startsWith("#")) section = line.replace(/^#+ /, "");
    if (!line.startsWith("| ") || line.startsWith("| question |")) return [];
    return [{ section, cells: line.slice(2, -2).split(" | ") }];
  });
}

/** The references of a row's last cell: `file` and sentence, with a comma or without; one at a line. */
function referencesOf({ cells }: Row): readonly Reference[] {
  return (cells[4] ?? "").split("<br>").map((text) => {
    const [, name = "", beginning = ""] = /^`([^`]+\.test\.ts)`,? (.+?)…?$/.exec(text) ?? [];
    const places = name.includes("/") ? [name] : FOLDERS.map((folder) => `${folder}/${name}`);
    return { file: places.find((place) => existsSync(join(ROOT, place))), beginning };
  });
}

const sources = new Map<string, string>();
function sourceOf(file: string): string {
  const source = sources.get(file) ?? readFileSync(join(ROOT, file), "utf8");
  sources.set(file, source);
  return source;
}

function isThere({ file, beginning }: Reference): boolean {
  if (file === undefined || beginning.length < 5) return false;
  const escaped = beginning.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  // A title, or the first text of a row in a table of tests.
  return new RegExp(`(?:test\\(\\s*|\\[\\s*)["'\`]${escaped}`).test(sourceOf(file));
}

test("every row of the compatibility page has its five cells, and one of the three states", () => {
  const odd = rows.filter(
    ({ cells }) =>
      cells.length !== 5 ||
      cells.some((cell) => cell.trim() === "") ||
      !/^(same$|differs: .|decided: .)/.test(cells[2] ?? ""),
  );

  assert.deepEqual(odd, []);
  assert.ok(rows.length > 90, `${rows.length} rows`);
});

test("every test that the compatibility page names stands in its file, by a name that begins so", () => {
  const missing = rows.flatMap((row) =>
    referencesOf(row)
      .filter((reference) => !isThere(reference))
      .map(({ file, beginning }) => `${row.cells[0]}: ${file ?? "no such file"}: ${beginning}`),
  );

  assert.deepEqual(missing, []);
});

test("what was not found or not sure of Cloud IoT Core is decided or the same, and no question is asked twice", () => {
  const questions = rows.map(({ section, cells }) => `${section}: ${cells[0]}`);
  const open = rows.filter(
    ({ cells }) => /not found|unknown/.test(cells[1] ?? "") && !/^(decided|same)/.test(cells[2] ?? ""),
  );

  assert.deepEqual(open, []);
  assert.equal(new Set(questions).size, questions.length);
});
