/**
 * Tokens of a TypeScript source: enough of a lexer to tell code from comment, string and regular expression.
 *
 * The border check needs module specifiers and a few identifiers, never a syntax tree; TypeScript 7 offers its tree
 * only behind an entry named "unstable". So we read tokens, which no new syntax of the language can make wrong by
 * much: what is quoted stays quoted (docs/adr/0003).
 *
 * Left to others: what the tokens mean (`source-facts.ts`).
 */
export type Token = {
  readonly kind: "name" | "string" | "template" | "number" | "regex" | "mark";
  /** As written; of a string, its contents without quotes (escapes left alone: specifiers have none). */
  readonly text: string;
  /** From 1. */
  readonly line: number;
};

const NAME_START = /[\p{ID_Start}$_#]/u;
const NAME_PART = /[\p{ID_Continue}$\u200c\u200d]/u;
const DIGIT = /[0-9]/;
const NUMBER_PART = /[0-9a-zA-Z_.]/;
const SPACE = /\s/;

/** After these words a slash opens a regular expression; after any other name it divides. */
const WORDS_BEFORE_REGEX: ReadonlySet<string> = new Set(
  "return typeof case in of do else void delete instanceof new throw await yield".split(" "),
);

/** Reads a whole source. Never throws: an unfinished string or comment ends with the text. */
export function readTokens(source: string): readonly Token[] {
  const tokens: Token[] = [];
  /** How many braces are open inside each template substitution we are in. */
  const substitutions: number[] = [];
  let at = 0;
  let line = 1;

  const push = (kind: Token["kind"], text: string, startLine: number) => {
    tokens.push({ kind, text, line: startLine });
  };
  const countLines = (from: number, to: number) => {
    for (let i = from; i < to; i += 1) if (source[i] === "\n") line += 1;
  };
  const take = (kind: Token["kind"], end: number, text = source.slice(at, end)) => {
    push(kind, text, line);
    countLines(at, end);
    at = end;
  };

  while (at < source.length) {
    const here = source[at] ?? "";
    const next = source[at + 1] ?? "";
    if (SPACE.test(here)) {
      if (here === "\n") line += 1;
      at += 1;
    } else if ((here === "/" && next === "/") || (at === 0 && here === "#" && next === "!")) {
      at = endOf(source, "\n", at);
    } else if (here === "/" && next === "*") {
      const end = endOf(source, "*/", at + 2) + 2;
      countLines(at, end);
      at = end;
    } else if (here === '"' || here === "'") {
      const end = findQuoteEnd(source, at, here);
      take("string", end, source.slice(at + 1, end - 1));
    } else if (here === "`" || (here === "}" && substitutions.at(-1) === 0)) {
      if (here === "}") substitutions.pop();
      const end = findTemplateChunkEnd(source, at + 1);
      if (source[end - 1] === "{") substitutions.push(0);
      take("template", end);
    } else if (here === "/" && mayOpenRegex(tokens.at(-1))) {
      take("regex", findRegexEnd(source, at));
    } else if (NAME_START.test(here)) {
      take("name", findEnd(source, at + 1, NAME_PART));
    } else if (DIGIT.test(here)) {
      take("number", findEnd(source, at + 1, NUMBER_PART));
    } else {
      const open = substitutions.length - 1;
      if (here === "{" && open >= 0) substitutions[open] = (substitutions[open] ?? 0) + 1;
      if (here === "}" && open >= 0) substitutions[open] = (substitutions[open] ?? 0) - 1;
      take("mark", at + 1);
    }
  }
  return tokens;
}

function endOf(source: string, what: string, from: number): number {
  const found = source.indexOf(what, from);
  return found < 0 ? source.length : found;
}

function findEnd(source: string, from: number, part: RegExp): number {
  let end = from;
  while (end < source.length && part.test(source[end] ?? "")) end += 1;
  return end;
}

function findQuoteEnd(source: string, from: number, quote: string): number {
  for (let i = from + 1; i < source.length; i += 1) {
    if (source[i] === "\\") i += 1;
    else if (source[i] === quote) return i + 1;
  }
  return source.length;
}

/** The end of a template's text: after its closing backtick, or after the `${` that opens a substitution. */
function findTemplateChunkEnd(source: string, from: number): number {
  for (let i = from; i < source.length; i += 1) {
    if (source[i] === "\\") i += 1;
    else if (source[i] === "`") return i + 1;
    else if (source[i] === "$" && source[i + 1] === "{") return i + 2;
  }
  return source.length;
}

function findRegexEnd(source: string, from: number): number {
  let inClass = false;
  for (let i = from + 1; i < source.length && source[i] !== "\n"; i += 1) {
    if (source[i] === "\\") i += 1;
    else if (source[i] === "[") inClass = true;
    else if (source[i] === "]") inClass = false;
    else if (source[i] === "/" && !inClass) return findEnd(source, i + 1, NAME_PART);
  }
  return from + 1;
}

function mayOpenRegex(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === "name") return WORDS_BEFORE_REGEX.has(before.text);
  return before.kind === "mark" && ![")", "]", "}"].includes(before.text);
}
