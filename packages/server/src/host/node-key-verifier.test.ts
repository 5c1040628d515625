import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import { KeyImportError } from "../auth/key-verifier.ts";
import { createNodeKeyVerifier } from "./node-key-verifier.ts";

const input = new Uint8Array(Buffer.from("header.payload"));
const pemOf = (key: KeyObject) => key.export({ format: "pem", type: "spki" }).toString();
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });

test("an ES256 signature of 64 bytes verifies with its key only", () => {
  const signature = sign("sha256", input, { key: ec.privateKey, dsaEncoding: "ieee-p1363" });
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const verifier = createNodeKeyVerifier();
  const key = verifier.importKey(pemOf(ec.publicKey), "ES256");
  const wrongKey = verifier.importKey(pemOf(other.publicKey), "ES256");
  const changed = Uint8Array.from(input, (byte, index) => (index === 3 ? byte ^ 1 : byte));

  const answers = [
    verifier.verify("ES256", key, input, signature),
    verifier.verify("ES256", key, input, signature),
    verifier.verify("ES256", wrongKey, input, signature),
    verifier.verify("ES256", key, changed, signature),
    verifier.verify("ES256", key, input, signature.subarray(1)),
  ];

  assert.deepEqual(answers, [true, true, false, false, false]);
});

test("an RS256 signature verifies, also one of a wrong length is only refused", () => {
  const verifier = createNodeKeyVerifier();
  const key = verifier.importKey(pemOf(rsa.publicKey), "RS256");
  const signature = sign("sha256", input, rsa.privateKey);

  assert.equal(verifier.verify("RS256", key, input, signature), true);
  assert.equal(verifier.verify("RS256", key, input, signature.subarray(1)), false);
});

test("what is no key of the algorithm is refused at import", () => {
  const verifier = createNodeKeyVerifier();
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const small = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const privatePem = ec.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  const wrong: readonly [string, "ES256" | "RS256"][] = [
    [pemOf(p384.publicKey), "ES256"],
    [pemOf(rsa.publicKey), "ES256"],
    [pemOf(ec.publicKey), "RS256"],
    [pemOf(small.publicKey), "RS256"],
    [privatePem, "ES256"],
    ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "ES256"],
    ["", "ES256"],
  ];

  for (const [pem, alg] of wrong) {
    assert.throws(() => verifier.importKey(pem, alg), KeyImportError);
  }
});

test("the key of an X.509 certificate is taken from it", () => {
  const verifier = createNodeKeyVerifier();

  assert.ok(verifier.importKey(certificate, "ES256"));
});

test("a dummy verification answers nothing and throws nothing", () => {
  const verifier = createNodeKeyVerifier();
  const signature = sign("sha256", input, { key: ec.privateKey, dsaEncoding: "ieee-p1363" });

  assert.equal(verifier.verifyDummy("ES256", input, signature), undefined);
  assert.equal(verifier.verifyDummy("RS256", input, new Uint8Array(256)), undefined);
});

// Made with: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=fern
const certificate = `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUcD6czOZ7yyDQQYS/TYLKHCSPlZQwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEZmVybjAgFw0yNjExMjMwNTEyNTZaGA8yMTI2MTAzMDA1MTI1
NlowDzENMAsGA1UEAwwEZmVybjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAY0
YMqsmcyGYb8EV1OLGhRYmwecLewsCtBEW8AOdSC40Tz1V/trFUqO98PdkxaRO5Dn
1ehQD3YZeQFFdoRMhWOjUzBRMB0GA1UdDgQWBBSmqn4n/pw2+DBv0Yx25LBv7A5t
bzAfBgNVHSMEGDAWgBSmqn4n/pw2+DBv0Yx25LBv7A5tbzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCICjrfYEYT2rUG32iIGBsfvf4Q6eyuiwgpnpV
VRHRlMp+AiEAz6r1cf6OVOoLi4rbbYuWMS40ho/wHB6tdNi4+7EdND8=
-----END CERTIFICATE-----`;
