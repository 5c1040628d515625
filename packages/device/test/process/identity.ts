/**
 * A TLS identity for a listener on the loopback, made by openssl: a P-256 key and a certificate for `localhost`.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { requireService } from "../../../../tools/services.ts";

export interface Identity {
  readonly cert: string;
  readonly key: string;
  /** Holds cert.pem and key.pem until the test ends. */
  readonly folder: string;
}

export function makeIdentity(t: TestContext): Identity {
  requireService(t, "openssl");
  const folder = mkdtempSync(join(tmpdir(), "mayfly-agent-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const made = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
    ...["-subj", "/CN=bridge", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
  ]);
  assert.equal(made.status, 0, made.stderr.toString());
  return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8"), folder };
}
