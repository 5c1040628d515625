/**
 * The house's own checks in one command: format and lint, types, borders. What `npm run check` runs; `npm test`
 * runs the same steps as tests (`house.test.ts`).
 */
import { checkBorders } from "./border/main.ts";
import { lint } from "./lint.ts";
import { typecheckAll } from "./typecheck.ts";

function report(step: string, messages: string): void {
  console.log(messages === "" ? `ok       ${step}` : `broken   ${step}\n${messages}`);
  if (messages !== "") process.exitCode = 1;
}

report("biome", await lint());
report("borders", checkBorders());
await typecheckAll((tsconfig, messages) => report(`tsc ${tsconfig}`, messages));
