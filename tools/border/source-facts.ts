/**
 * What a source file reaches for: the modules it names and the clocks, dice, disks and sockets it touches.
 *
 * Reads tokens only. A specifier that is not a literal is a fact of its own, since nobody can check it.
 *
 * Left to others: which of these a file may reach for (`doors.ts`, `check.ts`).
 */
import { readTokens, type Token } from "./tokens.ts";

export type ImportFact = {
  /** undefined: computed, not a literal. */
  readonly specifier: string | undefined;
  readonly typeOnly: boolean;
  /** The names taken, as the other module calls them; "*" for the whole of it. */
  readonly names: readonly string[];
  readonly line: number;
};

/** A global of the machine, as written, such as `Date.now` or `setTimeout`. */
export type TouchFact = { readonly what: string; readonly line: number };

export type SourceFacts = {
  readonly imports: readonly ImportFact[];
  readonly touches: readonly TouchFact[];
  /** Lines with `export * from` (a front door is a list of names). */
  readonly wildcardExports: readonly number[];
};

/** Globals that reach the machine when a member of them is used. */
const MEMBERS_THAT_TOUCH: Readonly<Record<string, readonly string[]>> = {
  Date: ["now"],
  Math: ["random"],
  performance: ["now", "timeOrigin"],
  process: ["env", "hrtime", "uptime"],
  crypto: ["getRandomValues", "randomUUID", "subtle"],
};

/** Globals that reach the machine by themselves. */
const NAMES_THAT_TOUCH: ReadonlySet<string> = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "fetch",
  "WebSocket",
  "EventSource",
  "XMLHttpRequest",
]);

const WORDS_THAT_BIND: ReadonlySet<string> = new Set(["const", "let", "var", "function", "class"]);

/** Reads one source file. Never throws. */
export function readSourceFacts(source: string): SourceFacts {
  const tokens = readTokens(source);
  const imports: ImportFact[] = [];
  const touches: TouchFact[] = [];
  const wildcardExports: number[] = [];
  const bound = findBoundNames(tokens);

  for (let i = 0; i < tokens.length; i += 1) {
    const token = tokens[i];
    if (token?.kind !== "name" || isMember(tokens, i)) continue;
    if (token.text === "import") {
      const found = readImport(tokens, i);
      if (found !== undefined) imports.push(found);
      // The clause only names; what it names is judged by its module.
      if (found !== undefined) i = findClauseEnd(tokens, i);
    } else if (token.text === "export") {
      const found = readExportFrom(tokens, i);
      if (found !== undefined) imports.push(found);
      if (found?.names[0] === "*") wildcardExports.push(token.line);
    } else if (token.text === "new" && textAt(tokens, i + 1) === "URL") {
      const found = readModuleUrl(tokens, i);
      if (found !== undefined) imports.push(found);
    } else {
      const what = findTouch(tokens, i, bound);
      if (what !== undefined) touches.push({ what, line: token.line });
    }
  }
  return { imports, touches, wildcardExports };
}

function textAt(tokens: readonly Token[], at: number): string | undefined {
  const token = tokens[at];
  return token?.kind === "string" ? undefined : token?.text;
}

/** Whether the name at `at` stands after a dot, hence is another's member; after `...` it is not. */
function isMember(tokens: readonly Token[], at: number): boolean {
  return textAt(tokens, at - 1) === "." && textAt(tokens, at - 2) !== ".";
}

function readImport(tokens: readonly Token[], at: number): ImportFact | undefined {
  const line = tokens[at]?.line ?? 0;
  const next = textAt(tokens, at + 1);
  if (next === ":" || next === "?") return undefined; // a property called "import"
  if (next === "(") return readCall(tokens, at + 2, line);
  if (next === ".") {
    const resolves = textAt(tokens, at + 4) === "resolve" && textAt(tokens, at + 5) === "(";
    return resolves ? readCall(tokens, at + 6, line) : undefined;
  }
  const end = findSpecifier(tokens, at + 1);
  if (end === undefined) return undefined;
  const clause = tokens.slice(at + 1, end);
  const typeOnly =
    clause[0]?.text === "type" && clause[1]?.text !== "from" && clause[1]?.text !== "," && clause.length > 1;
  return { specifier: tokens[end]?.text, typeOnly, names: readNames(clause, typeOnly), line };
}

/** `import(…)` and `import.meta.resolve(…)`: a literal, or a specifier nobody can check. */
function readCall(tokens: readonly Token[], at: number, line: number): ImportFact {
  const literal = tokens[at]?.kind === "string" && [")", ","].includes(textAt(tokens, at + 1) ?? "");
  return { specifier: literal ? tokens[at]?.text : undefined, typeOnly: false, names: ["*"], line };
}

function readExportFrom(tokens: readonly Token[], at: number): ImportFact | undefined {
  const typeOnly = textAt(tokens, at + 1) === "type";
  const start = typeOnly ? at + 2 : at + 1;
  const opens = textAt(tokens, start);
  if (opens !== "*" && opens !== "{") return undefined;
  const close = opens === "*" ? start : tokens.findIndex((token, i) => i > start && token.text === "}");
  // `export * as name from` puts two more words before `from`.
  const from = textAt(tokens, close + 1) === "as" ? close + 3 : close + 1;
  const specifier = tokens[from + 1];
  if (textAt(tokens, from) !== "from" || specifier?.kind !== "string") return undefined;
  const clause = tokens.slice(start, from);
  const line = tokens[at]?.line ?? 0;
  return { specifier: specifier.text, typeOnly, names: readNames(clause, typeOnly), line };
}

/** `new URL("./worker.ts", import.meta.url)` names a file as surely as an import does. */
function readModuleUrl(tokens: readonly Token[], at: number): ImportFact | undefined {
  const first = tokens[at + 3];
  if (first?.kind !== "string" || !first.text.startsWith(".")) return undefined;
  return { specifier: first.text, typeOnly: false, names: ["*"], line: first.line };
}

/** Where the specifier of a static import stands: the string after `from`, or right after `import`. */
function findSpecifier(tokens: readonly Token[], from: number): number | undefined {
  if (tokens[from]?.kind === "string") return from;
  for (let i = from; i < tokens.length && textAt(tokens, i) !== ";"; i += 1) {
    if (textAt(tokens, i) === "from" && tokens[i + 1]?.kind === "string") return i + 1;
  }
  return undefined;
}

/** The last token of the static import at `at`; of a call, its first. */
function findClauseEnd(tokens: readonly Token[], at: number): number {
  return ["(", "."].includes(textAt(tokens, at + 1) ?? "") ? at : (findSpecifier(tokens, at + 1) ?? at);
}

/** The names an import or export clause takes; those marked `type` touch nothing and are left out. */
function readNames(clause: readonly Token[], typeOnly: boolean): readonly string[] {
  if (typeOnly && clause.every((token) => token.text !== "*")) return [];
  if (clause.some((token) => token.text === "*")) return ["*"];
  const names: string[] = [];
  const open = clause.findIndex((token) => token.text === "{");
  if (clause[0]?.kind === "name" && open !== 0) names.push("default");
  let isNext = true;
  for (const token of open < 0 ? [] : clause.slice(open + 1)) {
    if (token.text === "}") break;
    if (token.text === ",") isNext = true;
    else if (isNext) {
      names.push(token.text);
      isNext = false;
    }
  }
  return names.filter((name) => name !== "type"); // `import { type Name }`
}

/** Names the file itself gives a meaning to: a parameter or a port's member called `fetch` is not the global. */
function findBoundNames(tokens: readonly Token[]): ReadonlySet<string> {
  const bound = new Set<string>();
  tokens.forEach((token, i) => {
    if (token.kind !== "name" || !NAMES_THAT_TOUCH.has(token.text) || isMember(tokens, i)) return;
    const after = textAt(tokens, i + 1);
    const declared = WORDS_THAT_BIND.has(textAt(tokens, i - 1) ?? "");
    const destructured = ["{", ","].includes(textAt(tokens, i - 1) ?? "") && ["}", ","].includes(after ?? "");
    const parameter = after === ":" || (after === "?" && textAt(tokens, i + 2) === ":");
    if (declared || parameter || (destructured && isDestructuring(tokens, i))) bound.add(token.text);
  });
  return bound;
}

/** Whether the braces around `at` are closed by `} =` or `}:`, hence take names apart rather than build a value. */
function isDestructuring(tokens: readonly Token[], at: number): boolean {
  const close = tokens.findIndex((token, i) => i > at && token.text === "}");
  return ["=", ":"].includes(textAt(tokens, close + 1) ?? "");
}

function findTouch(tokens: readonly Token[], at: number, bound: ReadonlySet<string>): string | undefined {
  const start = textAt(tokens, at) === "globalThis" && textAt(tokens, at + 1) === "." ? at + 2 : at;
  const isGlobal = start !== at;
  const name = textAt(tokens, start) ?? "";
  const after = textAt(tokens, start + 1);

  if (NAMES_THAT_TOUCH.has(name)) {
    const isType = textAt(tokens, at - 1) === "typeof";
    return !isGlobal && (bound.has(name) || isType) ? undefined : name;
  }
  if (name === "Date" && after === "(" && textAt(tokens, start + 2) === ")") return "new Date()";
  if (after === "." || after === "?") {
    const member = textAt(tokens, start + (after === "." ? 2 : 3)) ?? "";
    if (Object.hasOwn(MEMBERS_THAT_TOUCH, name) && MEMBERS_THAT_TOUCH[name]?.includes(member)) {
      return `${name}.${member}`;
    }
  }
  // `const { env } = process` hides the member from the rule above.
  if (
    Object.hasOwn(MEMBERS_THAT_TOUCH, name) &&
    textAt(tokens, at - 1) === "=" &&
    textAt(tokens, at - 2) === "}"
  ) {
    return `a part of ${name}`;
  }
  return undefined;
}
