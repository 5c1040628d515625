/**
 * The promises and how to break each: one edit of the shipped source, and the test that must notice.
 *
 * `find` stands exactly once in `file`; when the code moves on and it no longer does, the row is broken and says so.
 * `docs/promises.md` shows the same table, and a test holds the two equal.
 */
export type Sabotage = {
  /** What we promise, as a sentence an operator cares about. */
  readonly promise: string;
  /** The sabotage in a few words: "accept a retired key". */
  readonly deed: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** The test file that proves the promise … */
  readonly test: string;
  /** … and how the name of the proving test begins. */
  readonly name: string;
};

export const sabotages: readonly Sabotage[] = [
  {
    promise: "A retired key verifies nothing.",
    deed: "accept a retired key",
    file: "packages/core/src/token/key-state.ts",
    find: `if (key.state === "retired") return "key_retired";`,
    replace: `if (key.state === "retired") return undefined;`,
    test: "packages/core/src/token/verify.test.ts",
    name: "a token of a retired key is refused",
  },
  {
    promise: "A revoked key verifies nothing, ever.",
    deed: "accept a revoked key",
    file: "packages/core/src/token/key-state.ts",
    find: `if (key.state === "revoked") return "key_revoked";`,
    replace: `if (key.state === "revoked") return undefined;`,
    test: "packages/core/src/token/verify.test.ts",
    name: "a token of a revoked key is refused",
  },
  {
    promise: "A token for another project is refused.",
    deed: "take any audience",
    file: "packages/core/src/token/verify.ts",
    find: "if (claims.aud === context.audience) return;",
    replace: "if (claims.aud !== '') return;",
    test: "packages/core/src/token/verify.test.ts",
    name: "a token is refused with token_audience_mismatch",
  },
  {
    promise: "A blocked device is not admitted, whatever its token.",
    deed: "admit a blocked device",
    file: "packages/core/src/token/verify.ts",
    find: `if (device.blocked) return`,
    replace: `if (device.blocked && claims.iat < 0) return`,
    test: "packages/core/src/token/verify.test.ts",
    name: "a blocked device costs one dummy verification",
  },
  {
    promise: "A stranger can't learn from the answer's time whether a device exists.",
    deed: "spare the dummy verification",
    file: "packages/core/src/token/verify.ts",
    find: "verifier.verifyDummy(header.alg, signingInput, signature);",
    replace: "signingInput.length;",
    test: "packages/core/src/token/verify.test.ts",
    name: "an unknown device costs one dummy verification",
  },
];
