/**
 * What must not stand at the top of a module that a microcontroller preloads: buffers and collections that are written.
 *
 * A preloaded module runs when the firmware is built, and what it makes lies in flash: to write to it throws on the
 * chip, while the same code passes everywhere else. A table that is only read is fine and says so on the line before.
 */
import { readTokens } from "../border/tokens.ts";

/** The line before an allowed one. */
export const tableMark = "// Constant table: read only.";

const makers = /^(?:\w*Array|ArrayBuffer|DataView|Map|Set|WeakMap|WeakSet)$/;

export interface Finding {
  readonly line: number;
  readonly what: string;
}

/** @returns `let` and `var`, new buffers and collections, and empty arrays and objects at the top of a module. */
export function findModuleScopeState(source: string): readonly Finding[] {
  const tokens = readTokens(source);
  const lines = source.split("\n");
  const textAt = (i: number): string => tokens[i]?.text ?? "";
  const findings: Finding[] = [];
  let braces = 0;
  let parentheses = 0;
  /** In what a function or a static member begins, up to the end of the statement. */
  let within: "arrow" | "static" | undefined;

  for (const [i, { kind, text, line }] of tokens.entries()) {
    const find = (what: string): void => {
      if (lines[line - 2]?.trim() !== tableMark) findings.push({ line, what });
    };
    if (kind === "mark") {
      if (text === "{") braces += 1;
      if (text === "}") braces -= 1;
      if (text === "(") parentheses += 1;
      if (text === ")") parentheses -= 1;
      if (text === ";") within = undefined;
      if (text === "=" && textAt(i + 1) === ">" && braces === 0) within = "arrow";
    }
    // A static member lives as long as its module; a block of its class does not begin with `=`.
    if (kind === "name" && text === "static" && braces === 1) within = "static";
    const isModuleScope = (braces === 0 && within === undefined) || (braces === 1 && within === "static");
    if (!isModuleScope) continue;

    if (kind === "name" && (text === "let" || text === "var") && braces === 0) find(text);
    if (kind === "name" && text === "new" && makers.test(textAt(i + 1))) find(`new ${textAt(i + 1)}`);
    const pair = `${textAt(i + 1)}${textAt(i + 2)}`;
    if (kind === "mark" && text === "=" && parentheses === 0 && (pair === "[]" || pair === "{}"))
      find(`= ${pair}`);
  }
  return findings;
}
