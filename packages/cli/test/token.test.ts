/**
 * `mayfly token` against keys and verifiers that are not ours: openssl and jose.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { jwtVerify } from "jose";
import { requireService } from "../../../tools/services.ts";
import { mayfly, temporaryFolder } from "./mayfly.ts";

const device = ["--project", "plant", "--location", "europe-west1", "--registry", "reg", "--device", "dev-1"];

function opensslKeys(folder: string): {
  readonly sec1: string;
  readonly pkcs8: string;
  readonly publicKey: string;
} {
  const files = {
    sec1: join(folder, "sec1.pem"),
    pkcs8: join(folder, "pkcs8.pem"),
    publicKey: join(folder, "public.pem"),
  };
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", files.sec1);
  openssl("pkcs8", "-topk8", "-nocrypt", "-in", files.sec1, "-out", files.pkcs8);
  openssl("ec", "-in", files.sec1, "-pubout", "-out", files.publicKey);
  return files;
}

/** R‖S as the SEQUENCE of two INTEGERs that openssl reads (RFC 3279 §2.2.3). */
function derOf(signature: Uint8Array): Uint8Array {
  const integer = (bytes: Uint8Array): Buffer => {
    const first = bytes.findIndex((byte) => byte !== 0);
    const value = Buffer.from(bytes.subarray(first));
    const positive = (value[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), value]) : value;
    return Buffer.concat([Buffer.from([0x02, positive.length]), positive]);
  };
  const body = Buffer.concat([integer(signature.subarray(0, 32)), integer(signature.subarray(32))]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

test("openssl verifies a token minted with its own key, in SEC 1 and in PKCS#8", async (t) => {
  requireService(t, "openssl");
  const folder = await temporaryFolder(t);
  const keys = opensslKeys(folder);

  for (const key of [keys.sec1, keys.pkcs8]) {
    const { code, stdout } = await mayfly(t, ["token", "mint", "--key", key, ...device]);

    assert.equal(code, 0);
    const [header = "", claims = "", signature = ""] = stdout.trim().split(".");
    await writeFile(join(folder, "input"), `${header}.${claims}`);
    await writeFile(join(folder, "signature"), derOf(Buffer.from(signature, "base64url")));
    const verdict = execFileSync("openssl", [
      ...["dgst", "-sha256", "-verify", keys.publicKey],
      ...["-signature", join(folder, "signature"), join(folder, "input")],
    ]);
    assert.equal(verdict.toString(), "Verified OK\n");
  }
});

test("jose verifies a minted token, and reads the claims that were asked for", async (t) => {
  const { privateFile, publicFile } = await keyFiles(await temporaryFolder(t));

  const { stdout } = await mayfly(t, [
    "token",
    "mint",
    "--key",
    privateFile,
    ...device,
    "--lifetime",
    "90s",
    "--json",
  ]);

  const { token } = JSON.parse(stdout) as { token: string };
  const { payload, protectedHeader } = await jwtVerify(token, createPublicKey(readFileSync(publicFile)), {
    audience: "plant",
  });
  assert.equal(protectedHeader.alg, "ES256");
  assert.equal(payload.sub, "projects/plant/locations/europe-west1/registries/reg/devices/dev-1");
  assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 90);
});

test("--no-sub and --audience change the claims they name", async (t) => {
  const { privateFile } = await keyFiles(await temporaryFolder(t));

  const { stdout } = await mayfly(t, [
    "token",
    "mint",
    "--key",
    privateFile,
    ...device,
    "--no-sub",
    "--audience",
    "other",
    "--json",
  ]);

  const { claims } = JSON.parse(stdout) as { claims: { aud: string; sub?: string } };
  assert.equal(claims.aud, "other");
  assert.equal(claims.sub, undefined);
});

test("verify accepts what mint made, and refuses it for another project, device, time or key, with the code", async (t) => {
  const folder = await temporaryFolder(t);
  const { privateFile, publicFile } = await keyFiles(folder);
  const other = await keyFiles(folder, "other");
  const token = (await mayfly(t, ["token", "mint", "--key", privateFile, ...device])).stdout;
  const verify = async (...flags: readonly string[]) => {
    const { code, stdout } = await mayfly(t, ["token", "verify", "--json", ...flags], { stdin: token });
    return { code, ...(JSON.parse(stdout) as { verdict: string; code?: string }) };
  };

  const good = await verify("--public-key", publicFile, ...device);
  const refused = await Promise.all([
    verify("--public-key", publicFile, "--project", "elsewhere"),
    verify("--public-key", publicFile, ...device.slice(0, -1), "dev-2"),
    verify("--public-key", publicFile, ...device, "--at", "1000"),
    verify("--public-key", other.publicFile, ...device),
  ]);

  assert.deepEqual([good.code ?? 0, good.verdict], [0, "accepted"]);
  assert.deepEqual(
    refused.map(({ code }) => code),
    ["token_audience_mismatch", "token_subject_mismatch", "token_from_future", "token_signature_invalid"],
  );
});

test("a refused token exits 1 and says the code on stderr too", async (t) => {
  const { privateFile, publicFile } = await keyFiles(await temporaryFolder(t));
  const token = (await mayfly(t, ["token", "mint", "--key", privateFile, ...device])).stdout.trim();

  const { code, stderr } = await mayfly(t, ["token", "verify", token, "--public-key", publicFile]);

  assert.equal(code, 1);
  assert.equal(stderr, "mayfly: the token is refused (token_audience_mismatch)\n");
});

test("inspect says in words what a token claims, that it is unverified, and never its signature", async (t) => {
  const { privateFile } = await keyFiles(await temporaryFolder(t));
  const token = (await mayfly(t, ["token", "mint", "--key", privateFile, ...device])).stdout.trim();

  const { code, stdout } = await mayfly(t, ["token", "inspect", "-"], { stdin: token });

  assert.equal(code, 0);
  assert.match(stdout, /^not verified/);
  assert.match(stdout, /expires in (59 min|1 h)/);
  assert.ok(!stdout.includes(token.split(".")[2] ?? "?"));
});

test("a key that is no P-256 private key is refused with what it is", async (t) => {
  const folder = await temporaryFolder(t);
  const { publicFile } = await keyFiles(folder);
  const curve = join(folder, "p384.pem");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  await writeFile(curve, privateKey.export({ type: "pkcs8", format: "pem" }));

  const [ofPublic, ofCurve] = await Promise.all(
    [publicFile, curve].map((file) => mayfly(t, ["token", "mint", "--key", file, ...device])),
  );

  assert.equal(ofPublic?.code, 1);
  assert.match(ofPublic?.stderr ?? "", /holds no private key/);
  assert.equal(ofCurve?.code, 1);
  assert.match(ofCurve?.stderr ?? "", /secp384r1; a device key is EC on the curve P-256/);
});

async function keyFiles(
  folder: string,
  name = "key",
): Promise<{ readonly privateFile: string; readonly publicFile: string }> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const files = { privateFile: join(folder, `${name}.pem`), publicFile: join(folder, `${name}.pub.pem`) };
  await writeFile(files.privateFile, privateKey.export({ type: "pkcs8", format: "pem" }));
  await writeFile(files.publicFile, publicKey.export({ type: "spki", format: "pem" }));
  return files;
}
