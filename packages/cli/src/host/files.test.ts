import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FILE_BYTES_MAX, readBytes, readText, writeSecret } from "./files.ts";

const folder = mkdtempSync(join(tmpdir(), "mayfly-files-"));
after(() => rmSync(folder, { recursive: true }));

test("a secret is written for its owner alone, in a folder for its owner alone", async () => {
  const file = join(folder, "deep", "secret");

  await writeSecret(file, "s");

  assert.equal(await readText(file), "s");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, "deep")).mode & 0o777, 0o700);
});

test("a file of the most bytes is read, one more is refused with both numbers", async () => {
  const [full, over] = [join(folder, "full"), join(folder, "over")];
  writeFileSync(full, Buffer.alloc(FILE_BYTES_MAX));
  writeFileSync(over, Buffer.alloc(FILE_BYTES_MAX + 1));

  assert.equal((await readBytes(full)).length, FILE_BYTES_MAX);
  await assert.rejects(readBytes(over), {
    code: "file_unreadable",
    message: /1048577 bytes, at most 1048576/,
  });
});

test("a file that is not there, or is a folder, is a sentence", async () => {
  await assert.rejects(readBytes(join(folder, "none")), {
    code: "file_unreadable",
    message: /there is no such file$/,
  });
  await assert.rejects(readBytes(folder), { code: "file_unreadable", message: /it is a folder$/ });
});
