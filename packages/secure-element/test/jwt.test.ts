import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { crc16 } from "../src/crc16.ts";
import { encodeDerSignature } from "../src/provisioning/index.ts";
import { Atecc608, slotSigner } from "../src/signer.ts";
import { simBus } from "../src/sim/sim-bus.ts";
import { fromHex, RecordingBus, toHex } from "./recording-bus.ts";
import { testChip } from "./sim-host.ts";
import * as trace from "./traces.ts";

/** The chip reference's JWT vector (§8). */
const signingInput =
  "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJtYXlmbHktZGVtbyIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwfQ";
const signaturePart =
  "vpMzZxyLuwdGE6_lFP1GyiTjm7TrzYxgo23jWySm7KJUpsldvleoqK9AJG9GuFxL9jPqKGBtWE2OcTcme1_inA";

test("the JWT vector's digest leaves in a Nonce with CRC 59 95, and its signature comes back as it goes into the token", async () => {
  const digest = new Uint8Array(createHash("sha256").update(signingInput).digest());
  const answer = Uint8Array.of(67, ...Buffer.from(signaturePart, "base64url"));
  const crc = crc16(answer);
  const bus = new RecordingBus([
    trace.config0,
    trace.success,
    toHex(Uint8Array.of(...answer, crc & 0xff, crc >> 8)),
  ]);

  const signature = await new Atecc608(bus, { time: bus }).signDigest(0, digest);

  assert.equal(
    bus.written()[1],
    `03 27 16 43 00 00 ${trace.spaced("A6DB5F5B4790866AD416520E21478667BE9667BB588C2ED3B6E9DE13862AFD19")} 59 95`,
  );
  assert.equal(Buffer.from(signature).toString("base64url"), signaturePart);
});

test("openssl verifies what the simulated chip signed, for signing inputs of every awkward length", async (context) => {
  if (!hasOpenssl()) {
    context.skip("no openssl on this machine");
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "chip-jwt-"));
  try {
    const bus = simBus(testChip());
    const signer = slotSigner(new Atecc608(bus, { time: bus }), { slot: 0, keyId: "slot-0" });
    const keyFile = join(folder, "key.pem");
    writeFileSync(keyFile, publicKeyPem(trace.publicKey));

    for (const length of [0, 63, 64, 65, 128]) {
      const message = join(folder, `${length}.txt`);
      writeFileSync(message, "a".repeat(length));
      const digest = new Uint8Array(createHash("sha256").update("a".repeat(length)).digest());
      writeFileSync(`${message}.sig`, encodeDerSignature(await signer.signDigest(digest)));

      const said = execFileSync("openssl", [
        "dgst",
        "-sha256",
        "-verify",
        keyFile,
        "-signature",
        `${message}.sig`,
        message,
      ]);

      assert.equal(said.toString().trim(), "Verified OK");
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function hasOpenssl(): boolean {
  try {
    execFileSync("openssl", ["version"]);
    return true;
  } catch {
    return false;
  }
}

function publicKeyPem(xy: string): string {
  const bytes = Buffer.from(fromHex(xy));
  const key = createPublicKey({
    format: "jwk",
    key: {
      kty: "EC",
      crv: "P-256",
      x: bytes.subarray(0, 32).toString("base64url"),
      y: bytes.subarray(32).toString("base64url"),
    },
  });
  return key.export({ type: "spki", format: "pem" }).toString();
}
