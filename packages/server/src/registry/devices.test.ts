import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { credential, lab, makePublicKey, openAdminHouse } from "../../test/http/admin-house.ts";

const folder = mkdtempSync(join(tmpdir(), "mayfly-devices-"));
after(() => rmSync(folder, { recursive: true }));

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
}

function makeAuthority(name: string): string {
  openssl(
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.pem`,
    "-subj",
    `/CN=${name}`,
    "-days",
    "30",
  );
  return readFileSync(join(folder, `${name}.pem`), "utf8");
}

function makeCertificate(name: string, authority: string): string {
  openssl(
    "req",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.csr`,
    "-subj",
    `/CN=${name}`,
  );
  openssl(
    "x509",
    "-req",
    "-in",
    `${name}.csr`,
    "-CA",
    `${authority}.pem`,
    "-CAkey",
    `${authority}.key`,
    "-CAcreateserial",
    "-out",
    `${name}.pem`,
    "-days",
    "20",
  );
  return readFileSync(join(folder, `${name}.pem`), "utf8");
}

function hasOpenssl(): boolean {
  try {
    openssl("version");
    return true;
  } catch {
    return false;
  }
}

test("once a registry has certificates, a new credential must be signed by one that is valid now", {
  skip: !hasOpenssl(),
}, async () => {
  const house = await openAdminHouse();
  house.clock.wall = Math.floor(Date.now() / 1000) + 60;
  const authority = makeAuthority("ours");
  makeAuthority("theirs");
  const certificate = (pem: string) => ({ publicKey: { format: "ES256_X509_PEM", key: pem } });
  const publicKeyCertificate = { format: 1, certificate: authority };
  const token = await addToken(house);
  const call = (method: string, url: string, body: unknown) => house.call(method, url, body, { token });
  await call("POST", lab, { id: "plant", credentials: [{ publicKeyCertificate }] });
  const ours = makeCertificate("dev-1", "ours");
  const create = (id: string, one: unknown) =>
    call("POST", `${lab}/plant/devices`, { id, credentials: [one] });

  const signed = await create("dev-1", certificate(ours));
  const raw = await create("dev-2", credential(makePublicKey()));
  const foreign = await create("dev-3", certificate(makeCertificate("dev-3", "theirs")));
  const echoed = await call("PATCH", `${lab}/plant/devices/dev-1?updateMask=credentials`, signed.body);
  house.clock.wall += 31 * 86_400;
  const late = await create("dev-4", certificate(makeCertificate("dev-4", "ours")));

  assert.equal(signed.status, 200, signed.text);
  assert.ok(
    Date.parse(signed.body.credentials[0].expirationTime) > 0,
    "notAfter holds like an expirationTime",
  );
  assert.match(raw.body.error.message, /^The device credential in position 0 must be an X.509 certificate.$/);
  assert.deepEqual([foreign.status, foreign.body.error.status], [403, "PERMISSION_DENIED"]);
  assert.match(
    foreign.body.error.message,
    /position 0 could not be verified against any registry certificate/,
  );
  assert.deepEqual(echoed.body, signed.body);
  assert.equal(late.status, 403);
});

async function addToken(house: Awaited<ReturnType<typeof openAdminHouse>>): Promise<string> {
  const hash = createHash("sha256").update("mayfly_forever").digest("hex");
  await house.store.addAdminToken({ hash, name: "forever", loopbackOnly: true, createdMs: 0 });
  return "mayfly_forever";
}

test("two operators who each add a key at once both have theirs on record", async () => {
  const house = await openAdminHouse();
  await house.call("POST", lab, { id: "plant" });
  const made = await house.call("POST", `${lab}/plant/devices`, { id: "sensor-1" });
  const add = (device: string) =>
    house.call("POST", `/mayfly${lab}/plant/devices/${device}/keys`, {
      format: "ES256_PEM",
      key: makePublicKey(),
    });

  const answers = await Promise.all([
    add("sensor-1"),
    add(made.body.numId),
    add("sensor-1"),
    add("sensor-1"),
  ]);
  const listed = await house.call("GET", `/mayfly${lab}/plant/devices/sensor-1/keys`);

  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 200, 200, 400]);
  assert.equal(listed.body.keys.length, 3);
});
