import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import { test } from "node:test";
import { base64urlDecode, utf8Decode, utf8Encode } from "@mayfly/core";
import type { AgentSigner, Readiness } from "../ports.ts";
import { createTokenKeeper, type MintAnswer, signMillisMax } from "./token-keeper.ts";

const devicePath = "projects/p/locations/l/registries/reg/devices/lamp";
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const softwareSigner: AgentSigner = {
  keyId: "key-1",
  signMessage: async (message) => sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" }),
};

const exact: Readiness = { kind: "ready", now: 1_700_000_000.75, uncertaintySeconds: 0 };

function arrange(signer: AgentSigner, readiness: Readiness = exact) {
  const timers: { delayMillis: number; run: () => void; isCancelled: boolean }[] = [];
  const keeper = createTokenKeeper(
    {
      clock: { monotonicMillis: () => 5_000 },
      timers: {
        after(delayMillis, run) {
          const timer = { delayMillis, run, isCancelled: false };
          timers.push(timer);
          return () => {
            timer.isCancelled = true;
          };
        },
      },
      sha256: { digest: (bytes) => createHash("sha256").update(bytes).digest() },
      time: {
        readiness: () => readiness,
        uncertaintySecondsAt: () => (readiness.kind === "ready" ? readiness.uncertaintySeconds : 0),
        correct: () => {},
      },
    },
    { signer },
    { project: "p", devicePath, lifetimeSeconds: 3600 },
  );
  const runTimers = (): void => {
    for (const timer of timers.splice(0)) if (!timer.isCancelled) timer.run();
  };
  return { keeper, timers, runTimers };
}

const mint = (keeper: ReturnType<typeof createTokenKeeper>): Promise<MintAnswer> =>
  new Promise((resolve) => keeper.mint(resolve));

test("a minted token names the device, the project, the key and an hour, and its signature verifies", async () => {
  const { keeper } = arrange(softwareSigner);

  const answer = await mint(keeper);

  assert.ok(answer.kind === "minted");
  const [header = "", claims = "", signature = ""] = answer.token.text.split(".");
  assert.deepEqual(JSON.parse(utf8Decode(base64urlDecode(header))), {
    alg: "ES256",
    typ: "JWT",
    kid: "key-1",
  });
  const { aud, sub, iat, exp } = JSON.parse(utf8Decode(base64urlDecode(claims)));
  assert.deepEqual(
    { aud, sub, iat, exp },
    { aud: "p", sub: devicePath, iat: 1_700_000_000, exp: 1_700_003_600 },
  );
  const signed = utf8Encode(`${header}.${claims}`);
  assert.ok(
    verify("sha256", signed, { key: publicKey, dsaEncoding: "ieee-p1363" }, base64urlDecode(signature)),
  );
});

test("a chip is handed the SHA-256 of the signing input", async () => {
  let digest: Uint8Array | undefined;
  const chip: AgentSigner = {
    keyId: "slot-0",
    signDigest: async (given) => {
      digest = given;
      return new Uint8Array(64).fill(1);
    },
  };
  const { keeper } = arrange(chip);

  const answer = await mint(keeper);

  assert.ok(answer.kind === "minted");
  const signed = answer.token.text.slice(0, answer.token.text.lastIndexOf("."));
  assert.deepEqual(
    new Uint8Array(digest ?? []),
    new Uint8Array(createHash("sha256").update(signed).digest()),
  );
});

test("the token is backdated by the clock's uncertainty, and its expiry counts from there", async () => {
  const { keeper } = arrange(softwareSigner, { ...exact, uncertaintySeconds: 2.5 });

  const answer = await mint(keeper);

  assert.ok(answer.kind === "minted");
  assert.equal(answer.token.iat, 1_700_000_000 - 3);
  assert.equal(answer.token.expiresMillis, 5_000 + (3600 - 3 - 0.75) * 1000);
});

test("a clock that is too uncertain for tokens of the lifetime asked for signs none, and says so", async () => {
  const { keeper, runTimers } = arrange(
    { keyId: "k", signDigest: () => assert.fail("it signed") },
    { kind: "ready", now: 1_700_000_000, uncertaintySeconds: 2_000 },
  );

  const answering = mint(keeper);
  runTimers();

  assert.deepEqual(await answering, {
    kind: "waiting_for_clock",
    because: "the clock may be off by 2000 s, too much for tokens of 3600 s",
  });
});

test("nothing is signed while the clock is not believed", async () => {
  let asked = 0;
  const signer: AgentSigner = {
    keyId: "k",
    signDigest: async () => {
      asked += 1;
      return new Uint8Array(64);
    },
  };
  const { keeper, runTimers } = arrange(signer, { kind: "waiting", because: "no source yet" });
  const answer = mint(keeper);

  runTimers();

  assert.deepEqual(await answer, { kind: "waiting_for_clock", because: "no source yet" });
  assert.equal(asked, 0);
});

test("a signer that rejects is a failed minting, in words without the signer's message", async () => {
  const { keeper } = arrange({ keyId: "k", signDigest: () => Promise.reject(new TypeError("secret")) });

  const answer = await mint(keeper);

  assert.deepEqual(answer, { kind: "failed", because: "TypeError" });
});

test("a signer that never answers is given up, and an answer after that is dropped", async () => {
  let late: (signature: Uint8Array) => void = () => {};
  const signer: AgentSigner = {
    keyId: "k",
    signDigest: () =>
      new Promise((resolve) => {
        late = resolve;
      }),
  };
  const { keeper, timers, runTimers } = arrange(signer);
  const answers: MintAnswer[] = [];
  keeper.mint((answer) => answers.push(answer));
  assert.equal(timers[0]?.delayMillis, signMillisMax);

  runTimers();
  late(new Uint8Array(64).fill(1));
  await new Promise(setImmediate);

  assert.deepEqual(answers, [{ kind: "failed", because: "the signer did not answer in time" }]);
});
