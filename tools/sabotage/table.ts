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
  {
    promise: "A session ends with its right, also while nobody says a word.",
    deed: "skip a silent session's deadline",
    file: "packages/server/src/mqtt/live-session.ts",
    find: "      this.#deadlineMillis,\n      isPaused",
    replace: "      isPaused",
    test: "packages/server/src/mqtt/bridge.test.ts",
    name: "a silent listener is cut when its token expires",
  },
  {
    promise: "A PUBACK leaves only when its message is durable.",
    deed: "acknowledge before the store has answered",
    file: "packages/server/src/mqtt/uplink.ts",
    find: "this.#pending.push(pending);",
    replace:
      "this.#pending.push(pending);\n      pending.isDurable = true;\n      this.#acknowledgeInOrder();",
    test: "packages/server/src/mqtt/uplink.test.ts",
    name: "a PUBACK leaves only after the store said durable",
  },
  {
    promise: "PUBACKs leave in the order in which their messages came.",
    deed: "acknowledge in the order of the store's answers",
    file: "packages/server/src/mqtt/uplink.ts",
    find: "        pending.isDurable = true;\n        this.#acknowledgeInOrder();",
    replace:
      "        this.#pending.splice(this.#pending.indexOf(pending), 1);\n        this.#owner.queuePuback(pending.packetIdentifier);",
    test: "packages/server/src/mqtt/uplink.test.ts",
    name: "PUBACKs keep the order of arrival",
  },
  {
    promise: "A message the store could not take is never acknowledged.",
    deed: "acknowledge what a full disk refused",
    file: "packages/server/src/mqtt/uplink.ts",
    find: "if (pending === undefined || this.#stallEndsMillis",
    replace:
      "if (pending !== undefined) this.#owner.queuePuback(pending.packetIdentifier);\n    if (pending === undefined || this.#stallEndsMillis",
    test: "packages/server/src/mqtt/uplink.test.ts",
    name: "a store that says disk_full costs no acknowledgement",
  },
  {
    promise:
      "What the bridge promised outlives a power cut: the event file is synchronised before each PUBACK.",
    deed: "leave synchronising to the operating system",
    file: "packages/server/src/backbone/sqlite/event-writer.ts",
    find: "PRAGMA synchronous=FULL",
    replace: "PRAGMA synchronous=OFF",
    test: "test/process/fsync-before-puback.test.ts",
    name: "strace sees an event file synchronised",
  },
  {
    promise: "The late close of an old socket never removes the session that took over.",
    deed: "let any close remove the device's session",
    file: "packages/server/src/mqtt/session-table.ts",
    find: "if (devices?.get(principal.deviceId) === connection) devices.delete(principal.deviceId);",
    replace: "devices?.delete(principal.deviceId);",
    test: "packages/server/src/mqtt/bridge.test.ts",
    name: "the newcomer takes over, and the late close",
  },
  {
    promise: "A device that is blocked loses its live session within a second.",
    deed: "let a blocked device's session live on",
    file: "packages/server/src/auth/rejudgement.ts",
    find: 'if (device.blocked) return ends("device_blocked");',
    replace: "",
    test: "packages/server/src/mqtt/bridge.test.ts",
    name: "a blocked device costs the live session within a second",
  },
  {
    promise: "A key that is removed, retired or revoked ends the session it admitted.",
    deed: "judge a live session without its key",
    file: "packages/server/src/auth/rejudgement.ts",
    find: "if (refusal !== undefined) return ends(",
    replace: 'if (refusal === "key_pending") return ends(',
    test: "packages/server/src/mqtt/bridge.test.ts",
    name: "a revoked key costs the live session within a second",
  },
  {
    promise: "Blocking a device between the registry's look-up and its answer is not missed.",
    deed: "forget what changed while a CONNECT was judged",
    file: "packages/server/src/mqtt/connection.ts",
    find: "if (changesSeen !== this.#host.changesSeen) this.#host.rejudgeLater(this);",
    replace: "",
    test: "packages/server/src/mqtt/bridge.test.ts",
    name: "a device blocked between the question to the registry and its answer",
  },
  {
    promise: "An unknown device, a blocked one and a wrong key get the same answer.",
    deed: "name the refusal of an unknown device",
    file: "packages/core/src/token/refusal-on-wire.ts",
    find: "device_unknown: notAuthorized,",
    replace: "device_unknown: notAuthorizedByTime,",
    test: "packages/server/src/mqtt/connect.test.ts",
    name: "an unknown device, a blocked one, a wrong key",
  },
  {
    promise: "No token is accepted past exp plus grace.",
    deed: "forgive one more second",
    file: "packages/core/src/token/claims.ts",
    find: "now < exp + policy.graceSeconds",
    replace: "now <= exp + policy.graceSeconds",
    test: "packages/core/src/token/verify.test.ts",
    name: "skew does not forgive an exp in the past",
  },
  {
    promise: "A signature of zeros passes for nobody.",
    deed: "leave the range of r and s to the platform",
    file: "packages/core/src/token/ecdsa-range.ts",
    find: 'return isInRange(signature, 0) && isInRange(signature, 32) ? undefined : "range";',
    replace: "return undefined;",
    test: "packages/core/src/token/ecdsa-range.test.ts",
    name: "r and s are in range exactly when",
  },
  {
    promise: "A packet over the maximum is refused before any of its body is kept.",
    deed: "keep the body of a packet that is too large",
    file: "packages/core/src/mqtt/packet-framer.ts",
    find: "if (total > this.#maximumPacketSize) {",
    replace: "if (total > this.#maximumPacketSize * 2) {",
    test: "packages/core/src/mqtt/packet-framer.test.ts",
    name: "a packet of the maximum size is taken",
  },
];
