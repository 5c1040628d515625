/**
 * The commands a document shows: its fenced `sh` blocks, each with what a comment before it asks for.
 *
 * The documents stay plain Markdown; the comments are invisible to a reader:
 *
 * - `<!-- not run: the reason -->` leaves the block out, counted;
 * - `<!-- background: ready line "text" -->` leaves its one command running until the document ends, once it has
 *   said "text", and expects it to end well when told to stop;
 * - `<!-- prints: text -->` wants "text" in what the block prints;
 * - `<!-- needs: name -->` names an outside program of `tools/services.ts`.
 *
 * A block in another shell dialect (`bash`, `console` …) is an error: it would be a command nobody runs.
 */
export type Snippet = {
  /** Line of the opening fence, from 1. */
  readonly line: number;
  readonly code: string;
  readonly run:
    | { readonly kind: "foreground"; readonly prints: readonly string[] }
    | { readonly kind: "background"; readonly readyLine: string }
    | { readonly kind: "left_out"; readonly reason: string };
  readonly needs: readonly string[];
};

/** A document asks for something this reader does not know. */
export class SnippetError extends Error {
  override readonly name = "SnippetError";
}

const FENCE = /^(\s*)(`{3,}|~{3,})\s*(\S*)/;
const COMMENT = /^\s*<!--\s*(not run|background|prints|needs):\s*(.*?)\s*-->\s*$/;
const OTHER_SHELLS: ReadonlySet<string> = new Set([
  "bash",
  "console",
  "shell",
  "zsh",
  "shell-session",
  "terminal",
]);

/** Reads a document's snippets, in order. @throws {SnippetError} with the line. */
export function readSnippets(markdown: string): readonly Snippet[] {
  const snippets: Snippet[] = [];
  const lines = markdown.split("\n");
  let comments: { readonly kind: string; readonly text: string }[] = [];

  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i] ?? "";
    const comment = COMMENT.exec(line);
    const fence = FENCE.exec(line);
    if (comment !== null) {
      comments.push({ kind: comment[1] ?? "", text: comment[2] ?? "" });
    } else if (fence !== null) {
      const [, indent = "", ticks = "", language = ""] = fence;
      const end = lines.findIndex((other, at) => at > i && other.trim().startsWith(ticks));
      if (end < 0) throw new SnippetError(`line ${i + 1}: the block is never closed`);
      if (OTHER_SHELLS.has(language)) throw new SnippetError(`line ${i + 1}: say \`sh\`, so that it is run`);
      if (language === "sh") {
        const code = lines.slice(i + 1, end).map((text) => text.slice(indent.length));
        snippets.push(toSnippet(i + 1, code.join("\n"), comments));
      } else if (comments.length > 0) {
        throw new SnippetError(
          `line ${i + 1}: a comment about running stands before a block that is no \`sh\``,
        );
      }
      comments = [];
      i = end;
    } else if (line.trim() !== "") {
      if (comments.length > 0) throw new SnippetError(`line ${i + 1}: a comment about running has no block`);
    }
  }
  return snippets;
}

function toSnippet(
  line: number,
  code: string,
  comments: readonly { readonly kind: string; readonly text: string }[],
): Snippet {
  const textsOf = (kind: string) =>
    comments.filter((comment) => comment.kind === kind).map(({ text }) => text);
  const needs = textsOf("needs");
  const prints = textsOf("prints");
  const [reason] = textsOf("not run");
  const [background] = textsOf("background");

  if (reason !== undefined) {
    if (reason.length < "because".length) throw new SnippetError(`line ${line}: "not run" wants a reason`);
    return { line, code, run: { kind: "left_out", reason }, needs };
  }
  if (background === undefined) return { line, code, run: { kind: "foreground", prints }, needs };
  const readyLine = /^ready line "(.+)"$/.exec(background)?.[1];
  if (readyLine === undefined) throw new SnippetError(`line ${line}: write background: ready line "…"`);
  return { line, code, run: { kind: "background", readyLine }, needs };
}
