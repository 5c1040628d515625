/**
 * The commands in README and docs, run as a reader would: one session per document, in order.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { runSnippets } from "../tools/docs/session.ts";
import { readSnippets } from "../tools/docs/snippets.ts";
import { ROOT } from "../tools/program.ts";
import { requireService, type ServiceName, services } from "../tools/services.ts";

const documents = globSync(["*.md", "docs/**/*.md"], { cwd: ROOT }).sort();

for (const document of documents) {
  const snippets = readSnippets(readFileSync(join(ROOT, document), "utf8"));
  if (snippets.length === 0) continue;
  const leftOut = snippets.filter(({ run }) => run.kind === "left_out").length;
  const counted = `${snippets.length - leftOut} of its command blocks run, ${leftOut} left out with a reason`;

  test(`${document}: ${counted}`, async (t) => {
    for (const name of snippets.flatMap(({ needs }) => needs)) {
      assert.ok(Object.hasOwn(services, name), `tools/services.ts knows no ${name}`);
      requireService(t, name as ServiceName);
    }

    const { failure } = await runSnippets(ROOT, snippets);

    assert.ok(failure === "", failure);
  });
}

test("every link from a document to a file of the house leads somewhere", () => {
  const broken = documents.flatMap((document) => {
    const text = readFileSync(join(ROOT, document), "utf8").replace(/^```.*?^```/gms, "");
    return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(ROOT, dirname(document), target)))
      .map((target) => `${document}: ${target}`);
  });

  assert.deepEqual(broken, []);
});
