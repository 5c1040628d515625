/**
 * What the oracle of the random interleavings must notice: the engine of sessions, broken in one place each.
 */
import type { Sabotage } from "./table.ts";

const seen = {
  test: "packages/server/test/interleavings/interleavings.test.ts",
  name: "no interleaving of sockets, closes, PUBACKs, takeovers and late stores breaks a promise (part 1 of 4)",
  isSlow: true,
} as const;

export const interleavingRows: readonly Sabotage[] = [
  {
    ...seen,
    promise: "In no interleaving does a PUBACK leave before its message is durable.",
    deed: "acknowledge what arrived first when anything is durable",
    file: "packages/server/src/mqtt/uplink.ts",
    find: "if (first?.reasonCode === undefined) return;",
    replace: "if (first === undefined) return;\n      first.reasonCode ??= reasonCode.success;",
  },
  {
    ...seen,
    promise:
      "In no interleaving does the store's answer to an old connection's message acknowledge anything.",
    deed: "let a closed uplink go on acknowledging",
    file: "packages/server/src/mqtt/uplink.ts",
    find: "    this.#isClosed = true;\n    this.#ports.load.forget(this);",
    replace: "    this.#held.length = 0;",
  },
  {
    ...seen,
    promise: "In no interleaving is anything written on a socket that was relieved.",
    deed: "let what was queued for the relieved socket leave",
    file: "packages/server/src/mqtt/connection.ts",
    find: "    const { unacknowledged } = session.uplink;\n    this.#outgoing = [];\n",
    replace: "    const { unacknowledged } = session.uplink;\n",
  },
  {
    ...seen,
    promise: "In no interleaving does a command go out again without DUP.",
    deed: "send again without DUP what was in flight",
    file: "packages/server/src/mqtt/downlink.ts",
    find: "this.#publishCommand(item, packetIdentifier, true);",
    replace: "this.#publishCommand(item, packetIdentifier, false);",
  },
  {
    ...seen,
    promise: "In no interleaving does a renewed session live to another deadline than its token's.",
    deed: "keep the old deadline after AUTH",
    file: "packages/server/src/mqtt/live-session.ts",
    find: "    this.#notes.noteKey(principal.keyId);\n    this.#clock.setDeadline(this.#principal);\n    this.#carrier.reschedule();",
    replace: "    this.#notes.noteKey(principal.keyId);\n    this.#carrier.reschedule();",
  },
  {
    ...seen,
    promise: "In no interleaving does the late end of an old connection take the new one's place away.",
    deed: "take the device out whoever has it",
    file: "packages/server/src/mqtt/session-table.ts",
    find: "if (devices?.get(principal.deviceId) === entry) devices.delete(principal.deviceId);",
    replace: "devices?.delete(principal.deviceId);",
  },
  {
    ...seen,
    promise: "In no interleaving does a device find less of its Session than the store was given.",
    deed: "look a Session up while it is being written",
    file: "packages/server/src/mqtt/session-turns.ts",
    find: "if (turn.isLookingUp || turn.writesUnderWay > 0) return;",
    replace: "if (turn.isLookingUp) return;",
  },
  {
    ...seen,
    promise: "In no interleaving does a Session outlive a Clean Start.",
    deed: "end only the Session that was looked up",
    file: "packages/server/src/mqtt/connection.ts",
    find: "const endsSession = wasKept && !isResumed;",
    replace: "const endsSession = kept !== undefined && !isResumed;",
  },
];
