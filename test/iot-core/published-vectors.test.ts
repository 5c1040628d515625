/**
 * Project Wycheproof's vectors (C2SP/wycheproof, Apache-2.0) against the live server: their keys are registered for
 * devices, and what they sign is shown at both bridges.
 *
 * The payload of a JWS vector is no set of claims, so a valid one is taken "up to claims": its header and its key, over
 * claims of ours. Invalid ones are shown as they are. The messages of the bare ECDSA vectors are no JWS at all: their
 * signatures, made to slip through, stand under claims of ours; the vectors themselves, all of them, are run through
 * the server's verifier in `packages/server/test/vectors/wycheproof.test.ts`. A missing folder is a skip that says so.
 */
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { clientIdentifier, location, project, registry } from "../process/bridge-process.ts";
import { manyAtOnce } from "../process/fleet.ts";
import { HostileHouse } from "./hostile-house.ts";
import { showToHttp, showToMqtt } from "./token-bearers.ts";

const folder = fileURLToPath(new URL("../../../shared/vectors/wycheproof/", import.meta.url));
const isHere = existsSync(folder);
const skip = isHere ? false : "cannot be tested here: Wycheproof's vectors lie beside no clone alone";
const atOnce = 8;
/** Every second group of the ECDSA vectors, and 24 of each at most: each group has a key of its own. */
const groupsApart = 2;
/** Of the RS256 vectors; all of ES256 are shown. */
const rsaApart = 6;

type Jwk = Readonly<Record<string, string>>;
interface JwsVector {
  readonly comment: string;
  readonly jws: string;
  readonly result: "valid" | "invalid";
  readonly key: Jwk;
}

const house = new HostileHouse();
before(async () => {
  if (skip === false) await house.open(0);
});
after(() => house.end());

function groupsOf<Group>(file: string): readonly Group[] {
  const { testGroups } = JSON.parse(readFileSync(`${folder}${file}`, "utf8")) as {
    testGroups: readonly Group[];
  };
  return testGroups;
}

const devices = new Map<string, Promise<string>>();
/** The device that has this key; one key belongs to one device. */
function deviceOf(pem: string, format: "ES256_PEM" | "RSA_PEM"): Promise<string> {
  const known = devices.get(pem);
  if (known !== undefined) return known;
  const id = `vector-${devices.size}`;
  const made = house.fleet.admin
    .createDevice({ project, location, registry }, { id, credentials: [{ publicKey: { format, key: pem } }] })
    .then(() => id);
  devices.set(pem, made);
  return made;
}

/** @returns the verdicts of MQTT and HTTP. */
async function showToBoth(id: string, token: string, index: number): Promise<string> {
  // Failure limits are another test's: a source of its own for each few.
  const from = `127.3.${Math.floor(index / 50)}.1`;
  const name = clientIdentifier(id);
  const mqtt = await showToMqtt(await house.dial({ from }), 4, name, token);
  const http = await showToHttp(await house.dial({ from, port: house.httpPort }), name, token);
  return `${mqtt.outcome}, ${http.outcome}`;
}

function claims(): string {
  const now = Math.floor(Date.now() / 1000);
  return Buffer.from(JSON.stringify({ aud: project, iat: now - 5, exp: now + 3_000 })).toString("base64url");
}

function jwsVectors(): readonly JwsVector[] {
  const groups = groupsOf<{
    readonly private?: Jwk;
    readonly tests: readonly Omit<JwsVector, "key">[];
  }>("json_web_signature_test.json");
  const all = groups.flatMap(({ private: key, tests }) =>
    key === undefined ? [] : tests.map((vector) => ({ ...vector, key })),
  );
  const rsa = all.filter(({ key }) => key["alg"] === "RS256");
  return [
    ...all.filter(({ key }) => key["alg"] === "ES256"),
    ...rsa.filter(({ result }, index) => result === "valid" || index % rsaApart === 0),
  ];
}

test("a JWS of Wycheproof is taken, up to claims, exactly when it is valid, at both bridges", {
  skip,
}, async (t) => {
  const vectors = jwsVectors();

  const wrong = await manyAtOnce(vectors, atOnce, async ({ comment, jws, result, key }, index) => {
    const publicKey = createPublicKey({ key, format: "jwk" })
      .export({ type: "spki", format: "pem" })
      .toString();
    const id = await deviceOf(publicKey, key["kty"] === "RSA" ? "RSA_PEM" : "ES256_PEM");
    const privateKey = createPrivateKey({ key, format: "jwk" });
    const [header = ""] = jws.split(".");
    const input = `${header}.${claims()}`;
    const signature = sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
    const ours = `${input}.${signature.toString("base64url")}`;
    const isValid = result === "valid";
    const asItIs = await showToBoth(id, jws, index);
    const upToClaims = isValid ? await showToBoth(id, ours, index) : "accepted, accepted";
    if (asItIs === "refused, refused" && upToClaims === "accepted, accepted") return [];
    return [`${comment}, ${result}: ${asItIs}; up to claims: ${upToClaims}`];
  });

  t.diagnostic(
    `${vectors.length} vectors, ${vectors.filter(({ result }) => result === "valid").length} of them valid`,
  );
  assert.deepEqual(wrong.flat(), []);
});

for (const file of ["ecdsa_secp256r1_sha256_p1363_test.json", "ecdsa_secp256r1_sha256_test.json"]) {
  test(`no signature of ${file} opens either bridge under other claims`, { skip }, async (t) => {
    const groups = groupsOf<{
      readonly publicKeyPem: string;
      readonly tests: readonly { readonly comment: string; readonly sig: string }[];
    }>(file);
    const sample = groups
      .filter((_, index) => index % groupsApart === 0)
      .flatMap(({ publicKeyPem, tests }) =>
        tests.slice(0, 24).map((vector) => ({ ...vector, publicKeyPem })),
      );

    const wrong = await manyAtOnce(sample, atOnce, async ({ comment, sig, publicKeyPem }, index) => {
      const id = await deviceOf(publicKeyPem, "ES256_PEM");
      const header = Buffer.from(JSON.stringify({ alg: "ES256", typ: "JWT" })).toString("base64url");
      const token = `${header}.${claims()}.${Buffer.from(sig, "hex").toString("base64url")}`;
      const verdict = await showToBoth(id, token, index);
      return verdict === "refused, refused" ? [] : [`${comment}: ${verdict}`];
    });

    t.diagnostic(`${sample.length} signatures of ${devices.size} keys`);
    assert.ok(sample.length > 0);
    assert.deepEqual(wrong.flat(), []);
  });
}

test("all the while an honest device is served within 2 s, the process lives and grows little, and nothing is left", {
  skip,
}, async (t) => {
  t.diagnostic(JSON.stringify(await house.verdict()));
});
