/**
 * Compiled code, kept from one process to the next.
 *
 * A demo starts a dozen of them, and most of their starting is compiling the same files. Node keeps what it compiled
 * by the files' content, so a changed file is compiled anew. The folder is below the installation's `node_modules`:
 * whoever may write there can change our code as it is. Where we may not write, nothing is kept.
 */
import { enableCompileCache, flushCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

/** To be called before what shall be kept is imported. NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE go before it. */
export function keepCompiledCode(): void {
  const isSource = import.meta.url.endsWith(".ts");
  // packages/cli/src/host, or node_modules/@mayfly/cli/dist/host.
  const folder = isSource ? "../../../../node_modules/.cache/mayfly/" : "../../../../.cache/mayfly/";
  enableCompileCache(fileURLToPath(new URL(folder, import.meta.url)));
}

/** Gives what was compiled so far to the processes we are about to start; otherwise it is written at our end. */
export function shareCompiledCode(): void {
  flushCompileCache();
}
