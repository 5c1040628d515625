import assert from "node:assert/strict";
import { test } from "node:test";
import { readSnippets, SnippetError } from "./snippets.ts";

const fence = "```";

test("sh blocks are commands, other blocks are not", () => {
  const snippets = readSnippets(`# A\n${fence}sh\nls\n${fence}\n\n${fence}json\n{}\n${fence}\n`);

  assert.deepEqual(snippets, [{ line: 2, code: "ls", run: { kind: "foreground", prints: [] }, needs: [] }]);
});

test("comments right before a block say how it is run", () => {
  const markdown = [
    "<!-- needs: strace -->",
    '<!-- background: ready line "it is ready" -->',
    `${fence}sh`,
    "npm start",
    fence,
    "<!-- not run: it takes a day -->",
    `${fence}sh`,
    "soak",
    fence,
    "<!-- prints: hello -->",
    `${fence}sh`,
    "echo hello",
    fence,
  ].join("\n");

  const kinds = readSnippets(markdown).map(({ run, needs }) => ({ run, needs }));

  assert.deepEqual(kinds, [
    { run: { kind: "background", readyLine: "it is ready" }, needs: ["strace"] },
    { run: { kind: "left_out", reason: "it takes a day" }, needs: [] },
    { run: { kind: "foreground", prints: ["hello"] }, needs: [] },
  ]);
});

test("a block in a list loses the list's indent only", () => {
  const [snippet] = readSnippets(`1. do\n   ${fence}sh\n   if true; then\n     ls\n   fi\n   ${fence}\n`);

  assert.equal(snippet?.code, "if true; then\n  ls\nfi");
});

for (const [what, markdown] of [
  ["a block in another shell's name", `${fence}bash\nls\n${fence}`],
  ["a block without end", `${fence}sh\nls`],
  ["leaving out without a reason", `<!-- not run: no -->\n${fence}sh\nls\n${fence}`],
  ["a comment without a block", `<!-- not run: it takes a day -->\nSome text.`],
  ["a comment before a block that is not run anyway", `<!-- prints: hello -->\n${fence}json\n{}\n${fence}`],
  ["a background without a ready line", `<!-- background: soon -->\n${fence}sh\nls\n${fence}`],
] as const) {
  test(`${what} is refused with its line`, () => {
    assert.throws(
      () => readSnippets(markdown),
      (error) => error instanceof SnippetError && /line \d/.test(error.message),
    );
  });
}
