/** Promises that programs from outside watch: clients and dissectors nobody here wrote, thousands of sessions. */
import type { Sabotage } from "./table.ts";

const REAUTHENTICATION = "test/process/reauthentication.test.ts";
const DEADLINES = "test/process/deadlines.test.ts";

export const evidenceSabotages: readonly Sabotage[] = [
  {
    promise: "A client written from the MQTT 5 standard keeps its session past its tokens' ends by AUTH.",
    deed: "keep the old token's deadline after AUTH",
    file: "packages/server/src/mqtt/live-session.ts",
    find: "    this.#notes.noteKey(principal.keyId);\n    this.#clock.setDeadline(this.#principal);\n    this.#carrier.reschedule();",
    replace: "    this.#notes.noteKey(principal.keyId);\n    this.#carrier.reschedule();",
    test: REAUTHENTICATION,
    name: "a session renewed twice by AUTH",
    isSlow: true,
  },
  {
    promise: "AUTH carries the method of its CONNECT, and no other.",
    deed: "take AUTH by any method",
    file: "packages/server/src/mqtt/reauthentication.ts",
    find: "properties?.authenticationMethod !== this.#order.method",
    replace: "properties === undefined",
    test: REAUTHENTICATION,
    name: "AUTH by another method than CONNECT's",
    isSlow: true,
  },
  {
    promise: "A CONNECT by a method the bridge does not offer hears so, with the standard's code.",
    deed: "refuse an unknown method as not authorized",
    file: "packages/server/src/mqtt/connect-request.ts",
    find: `return refused("authentication_method_unsupported", badAuthenticationMethod,`,
    replace: `return refused("authentication_method_unsupported", badAuthenticationMethod - 5,`,
    test: REAUTHENTICATION,
    name: "CONNECT by a method the bridge does not know",
    isSlow: true,
  },
  {
    promise: "What the bridge answers to AUTH is MQTT 5 to a dissector that nobody here wrote.",
    deed: "leave the method out of AUTH's answer",
    file: "packages/server/src/mqtt/reauthentication.ts",
    find: "properties: { authenticationMethod, userProperties }",
    replace: "properties: { userProperties }",
    test: REAUTHENTICATION,
    name: "tshark dissects a renewal",
    isSlow: true,
  },
  {
    promise: "Thousands of silent sessions each end within a second of their own deadline.",
    deed: "ring two seconds late",
    file: "packages/server/src/time/alarm.ts",
    find: "Math.ceil(first.dueMillis - this.#clock.monotonicMillis());",
    replace: "Math.ceil(first.dueMillis - this.#clock.monotonicMillis()) + 2_000;",
    test: DEADLINES,
    name: "2,000 silent listeners",
    isSlow: true,
  },
  {
    promise: "A revoked key's live session ends within a second, also when a thousand fall at once.",
    deed: "judge sessions again two seconds after a change",
    file: "packages/server/src/mqtt/bridge.ts",
    find: "this.ports.timers.after(0, () => this.#rejudgeSome());",
    replace: "this.ports.timers.after(2_000, () => this.#rejudgeSome());",
    test: DEADLINES,
    name: "1,000 live sessions",
    isSlow: true,
  },
  {
    promise: "A session that is gone leaves nothing behind in the bridge.",
    deed: "keep the due time of a connection that is gone",
    file: "packages/server/src/mqtt/connection.ts",
    find: "    this.#host.alarm.forget(this);\n    this.#host.ended(this);",
    replace: "    this.#host.ended(this);",
    test: DEADLINES,
    name: "1,000 live sessions",
    isSlow: true,
  },
];
