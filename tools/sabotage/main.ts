/**
 * `npm run sabotage`: breaks each promise in a copy of the tree and sees its test fail. `--write` only writes the
 * table of docs/promises.md; words as arguments choose the rows whose deed holds one of them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../program.ts";
import { SabotagedTree } from "./engine.ts";
import { writePromises } from "./promises-table.ts";
import { sabotages } from "./table.ts";

const { values, positionals } = parseArgs({
  options: { write: { type: "boolean", default: false } },
  allowPositionals: true,
});

if (values.write) {
  const file = join(ROOT, "docs/promises.md");
  writeFileSync(file, writePromises(readFileSync(file, "utf8"), sabotages));
} else {
  const chosen = sabotages.filter(
    ({ deed }) => positionals.length === 0 || positionals.some((word) => deed.includes(word)),
  );
  const tree = new SabotagedTree(ROOT, chosen);
  let noticed = 0;
  try {
    for (const sabotage of chosen) {
      const outcome = await tree.try(sabotage);
      if (outcome.kind === "noticed") noticed += 1;
      const said = outcome.kind === "row_broken" ? `ROW BROKEN: ${outcome.because}` : outcome.kind;
      console.log(`${outcome.kind === "survived" ? "SURVIVED" : said}: ${sabotage.deed}`);
    }
  } finally {
    tree.remove();
  }
  console.log(`${noticed} of ${chosen.length} sabotages noticed`);
  process.exitCode = noticed === chosen.length && chosen.length > 0 ? 0 : 1;
}
