import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runSnippets } from "./session.ts";
import type { Snippet } from "./snippets.ts";

const root = mkdtempSync(join(tmpdir(), "mayfly-docs-test-"));
writeFileSync(join(root, "motto.txt"), "a credential never costs a message\n");
after(() => rmSync(root, { recursive: true }));

const snippet = (line: number, code: string, ...prints: readonly string[]): Snippet => {
  return { line, code, run: { kind: "foreground", prints }, needs: [] };
};
const background = (line: number, code: string, readyLine: string): Snippet => {
  return { line, code, run: { kind: "background", readyLine }, needs: [] };
};

test("commands share one session: its folder, its variables, its clone", async () => {
  const end = await runSnippets(root, [
    snippet(1, "word=message"),
    snippet(5, `grep "$word" motto.txt`, "never costs a message"),
    { line: 9, code: "exit 1", run: { kind: "left_out", reason: "it would fail" }, needs: [] },
  ]);

  assert.deepEqual(end, { ran: 2, leftOut: 1, failure: "" });
});

test("what commands leave behind stays out of the clone", async () => {
  await runSnippets(root, [snippet(1, "touch left-behind")]);

  assert.deepEqual(readdirSync(root), ["motto.txt"]);
});

test("a command that fails is named by its line, with what it said", async () => {
  const { failure } = await runSnippets(root, [snippet(1, "true"), snippet(7, "echo oh no; false; true")]);

  assert.match(failure, /line 7: ended with 1/);
  assert.match(failure, /oh no/);
});

test("words that a command should have printed are missed", async () => {
  const { failure } = await runSnippets(root, [snippet(3, "echo this", "that")]);

  assert.match(failure, /line 3: it did not print "that"/);
});

test("a background command is waited for, serves the rest of the document, and is told to stop", async () => {
  const server = `bash -c 'trap "exit 0" TERM; echo up > state; echo "it is ready"; while :; do sleep 0.05; done'`;

  const end = await runSnippets(root, [background(1, server, "it is ready"), snippet(5, "cat state", "up")]);

  assert.deepEqual(end, { ran: 2, leftOut: 0, failure: "" });
});

test("a background command that dies early, or ends badly, is a failure", async () => {
  const early = await runSnippets(root, [background(1, "false", "it is ready")]);
  const badly = await runSnippets(root, [
    background(1, `bash -c 'trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done'`, "ready"),
  ]);

  assert.match(early.failure, /it ended before it was ready/);
  assert.match(badly.failure, /ended with 3 when told to stop/);
});
