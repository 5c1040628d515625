import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readSourceFacts } from "./source-facts.ts";

function specifiersOf(source: string): readonly (string | undefined)[] {
  return readSourceFacts(source).imports.map((fact) => fact.specifier);
}

test("every way to name a module is found", () => {
  const source = `
    import "./side-effect.ts";
    import def from "./default.ts";
    import def, { a as b, type C } from './named.ts';
    import * as all from "./all.ts";
    import type { D } from "./types.ts";
    import type from "./type-as-name.ts";
    export { e } from "./export.ts";
    export type { F } from "./export-type.ts";
    export * as g from "./export-star-as.ts";
    const h = await import("./dynamic.ts");
    type I = import("./type-query.ts").I;
    new Worker(new URL("./worker.ts", import.meta.url));
    import.meta.resolve("./resolve.ts");
  `;

  assert.deepEqual(specifiersOf(source), [
    "./side-effect.ts",
    "./default.ts",
    "./named.ts",
    "./all.ts",
    "./types.ts",
    "./type-as-name.ts",
    "./export.ts",
    "./export-type.ts",
    "./export-star-as.ts",
    "./dynamic.ts",
    "./type-query.ts",
    "./worker.ts",
    "./resolve.ts",
  ]);
});

test("what only looks like an import is left alone", () => {
  const source = `
    // import "./comment.ts";
    const text = 'import "./string.ts"';
    const template = \`import "./template.ts" \${"}"} import "./template.ts"\`;
    const pattern = /import "\\/[/"]pattern.ts"/;
    const half = 1 / 2; const quarter = half / 2;
    program.import("./method.ts");
    const shape = { import: "./key.ts" };
    export const value = 1;
    const here = import.meta.url;
  `;

  assert.deepEqual(specifiersOf(source), []);
});

test("the names taken are the other module's, types left out", () => {
  const [fact] = readSourceFacts(`import { a as b, type C, d } from "./x.ts";`).imports;

  assert.deepEqual(fact?.names, ["a", "d"]);
});

test("an import inside a template's substitution is found, on its own line", () => {
  const [fact] = readSourceFacts(`const a = \`\n\${{ b: await import("./x.ts") }}\n\`;`).imports;

  assert.deepEqual(fact, { specifier: "./x.ts", typeOnly: false, names: ["*"], line: 2 });
});

test("no text makes the reader throw or hang", () => {
  const pieces = fc.constantFrom(
    "import",
    "export",
    "from",
    '"',
    "'",
    "`",
    "${",
    "}",
    "/",
    "*",
    "\\",
    "\n",
    "{",
    " a ",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 60 }), (parts) => {
      const facts = readSourceFacts(parts.join(""));

      assert.ok(Array.isArray(facts.imports));
    }),
  );
});
