/**
 * The page on faults as the expectation of its tests: what the status must say is read from the row that names the test.
 *
 * So the page cannot say one thing and the agent another. A number or a duration on the page stands for any.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const page = readFileSync(new URL("../../docs/reference/agent-faults.md", import.meta.url), "utf8");

export interface FaultRow {
  /** Name of the test. */
  readonly test: string;
  /** Whole lines of a status, in the order in which they come. */
  readonly says: readonly RegExp[];
}

export const faultRows: readonly FaultRow[] = page
  .split("\n")
  .filter((line) => line.startsWith("| ") && line.endsWith("` |"))
  .map((line) => {
    const cells = line.slice(2, -2).split(" | ");
    const [says = "", , test = ""] = cells.slice(-3);
    return {
      test: test.slice(1, -1),
      says: [...says.matchAll(/`([^`]+)`/g)].map(([, words = ""]) => anyNumbers(words)),
    };
  });

/** @throws {AssertionError} No row of the page names this test, or one without words. */
export function saysOnPage(test: string): readonly [RegExp, ...RegExp[]] {
  const [first, ...more] = faultRows.find((row) => row.test === test)?.says ?? [];
  assert.ok(first, `docs/reference/agent-faults.md has no words for the test "${test}"`);
  return [first, ...more];
}

/** A whole line, with any number where one is, and any duration where a duration is. */
function anyNumbers(words: string): RegExp {
  const pattern = words
    .replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replaceAll(/\d+ (?:s|min|h|d)(?: \d+ (?:s|min|h))?\b/g, "\\d+ (?:s|min|h|d)(?: \\d+ (?:s|min|h))?")
    .replaceAll(/\b\d+ (?=message)/g, "\\d+ ");
  return new RegExp(`^${pattern}$`, "m");
}
