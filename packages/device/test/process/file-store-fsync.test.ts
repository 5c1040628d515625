/**
 * The kernel is the witness: strace sees a small value's bytes on the disk before its name, and its name before the
 * write is said to be kept.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { requireService } from "../../../../tools/services.ts";

test("strace sees a small value synchronised, then renamed, then its folder synchronised, before it is kept", (t) => {
  requireService(t, "strace");
  const folder = mkdtempSync(join(tmpdir(), "mayfly-store-fsync-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const trace = join(folder, "trace.txt");
  const values = join(folder, "values");

  execFileSync("strace", [
    ...["-f", "-yy", "-s", "64", "-o", trace, "-e", "signal=none"],
    ...["-e", "trace=fsync,fdatasync,rename,renameat,renameat2,write,pwrite64"],
    ...[process.execPath, join(import.meta.dirname, "file-store-writer.ts"), values],
  ]);

  const seen = readFileSync(trace, "utf8")
    .split("\n")
    .flatMap((line) => {
      if (/ write\(\d+<[^>]*floor\.value\.new>/.test(line)) return ["written"];
      if (/ pwrite64\(\d+<[^>]*floor\.value\.new>/.test(line)) return ["written"];
      if (/ f(data)?sync\(\d+<[^>]*floor\.value\.new>/.test(line)) return ["bytes synchronised"];
      if (/ rename(at2?)?\(.*floor\.value\.new/.test(line)) return ["renamed"];
      if (/ f(data)?sync\(\d+<[^>]*values>/.test(line)) return ["folder synchronised"];
      if (/ write\(1<.*"kept\\n"/.test(line)) return ["told"];
      return [];
    });
  assert.deepEqual(seen, ["written", "bytes synchronised", "renamed", "folder synchronised", "told"]);
});
