/**
 * Registry policy: how strict a bridge is with the tokens, keys and sessions of a registry's devices.
 *
 * Two presets, every field settable. `strict` is what our own tools create. `iot-core` takes what Cloud
 * IoT Core took from firmware that can no longer be changed; each leniency used is reported with the
 * token, so that an operator can see when it is no longer needed.
 *
 * One number, grace, governs `exp` both at admission and in the live session. Skew forgives the future
 * only: `iat` and `nbf`.
 */

/** What the verification of one token depends on. */
export interface TokenPolicy {
  /** Where the registry's policy began; the other fields may have been changed since. */
  readonly preset: "strict" | "iot-core";
  /** How far `iat` (and `nbf`) may lie in the future: 0 to 600. */
  readonly skewSeconds: number;
  /** How long a token is good after `exp`: 0 to 600. */
  readonly graceSeconds: number;
  /** Largest `exp - iat`: 1 to 87,000 (24 h and 600 s). */
  readonly lifetimeMaxSeconds: number;
  /** Refuse a token before its `nbf`? Cloud IoT Core ignored the claim. */
  readonly honourNotBefore: boolean;
  /** `sub` must be there when the token comes from an agent of ours; whoever sends one is held to it. */
  readonly subject: "required-from-own-agents" | "checked-if-present";
  /** Take `iat`, `exp`, `nbf` as strings of 1 to 15 digits? */
  readonly digitStringTimes: boolean;
  /** Take padded segments and the standard base64 alphabet? */
  readonly looseBase64: boolean;
  /** Does a key that is registered but not yet put to use verify? A chip may have lost its slot. */
  readonly pendingKeys: "verify" | "refuse";
}

/** All a registry sets for its devices. */
export interface RegistryPolicy extends TokenPolicy {
  /** A public key already registered for another device of the project. */
  readonly duplicateKeys: "refuse" | "report";
  /**
   * Keys a device has made by itself: none; those its registered chip attests; also those that its active key alone
   * vouches for. Each becomes pending, no more.
   */
  readonly keyOffers: "refuse" | "attested" | "vouch";
  /** May a Session outlive its Network Connection (MQTT 5.0 §3.1.2.4)? */
  readonly keepSessions: boolean;
  /** Longest life of a Network Connection: 60 to 31,536,000 (a year). */
  readonly connectionMaxSeconds: number;
  /** A connection silent this long is closed whatever its Keep Alive: 10 to 86,400. */
  readonly idleMaxSeconds: number;
  /** May a gateway whose method is ASSOCIATION_ONLY attach devices that show no token of their own? */
  readonly gatewayAssociationOnly: "refuse" | "allow";
  /** Does attaching a device to a gateway end the connection the device itself has? */
  readonly attachEndsDirectSession: boolean;
  /** Messages a second of one device, events and states together: 0 (not limited) to 100,000. */
  readonly messagesPerSecond: number;
  /** Payload bytes a second of one device: 0 (not limited) to 1,000,000,000. */
  readonly bytesPerSecond: number;
  /** States a second of one device: 0 (not limited) to 1,000. */
  readonly statesPerSecond: number;
  /** Changes of one device's config a second: 0 (not limited) to 1,000. */
  readonly configsPerSecond: number;
  /** Commands a second to one device: 0 (not limited) to 10,000. */
  readonly commandsPerSecond: number;
}

const day = 86_400;
const lenientSkewSeconds = 600;

export const policyPresets: Readonly<Record<TokenPolicy["preset"], RegistryPolicy>> = {
  strict: {
    preset: "strict",
    skewSeconds: 90,
    graceSeconds: 0,
    lifetimeMaxSeconds: day,
    honourNotBefore: true,
    subject: "required-from-own-agents",
    digitStringTimes: false,
    looseBase64: false,
    pendingKeys: "verify",
    duplicateKeys: "refuse",
    keyOffers: "refuse",
    keepSessions: true,
    // Renewal happens inside the session; a week still drains what a crash of the peer left behind.
    connectionMaxSeconds: 7 * day,
    idleMaxSeconds: 1200,
    gatewayAssociationOnly: "refuse",
    attachEndsDirectSession: false,
    // An outbox that empties after an outage is no flood: what bounds it is the window and backpressure.
    messagesPerSecond: 0,
    bytesPerSecond: 0,
    statesPerSecond: 0,
    configsPerSecond: 0,
    commandsPerSecond: 0,
  },
  "iot-core": {
    preset: "iot-core",
    skewSeconds: lenientSkewSeconds,
    graceSeconds: lenientSkewSeconds,
    lifetimeMaxSeconds: day + lenientSkewSeconds,
    honourNotBefore: false,
    subject: "checked-if-present",
    digitStringTimes: true,
    looseBase64: true,
    pendingKeys: "verify",
    duplicateKeys: "report",
    keyOffers: "refuse",
    keepSessions: false,
    connectionMaxSeconds: day,
    idleMaxSeconds: 1200,
    gatewayAssociationOnly: "allow",
    attachEndsDirectSession: true,
    messagesPerSecond: 100,
    bytesPerSecond: 512 * 1024,
    statesPerSecond: 1,
    configsPerSecond: 1,
    commandsPerSecond: 100,
  },
};

export type PolicyErrorCode = "policy_out_of_range" | "policy_malformed";

/** A registry policy cannot be used. `message` may be shown to whoever sent it. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
  readonly code: PolicyErrorCode;
  readonly facts: Readonly<Record<string, string | number>>;

  constructor(code: PolicyErrorCode, message: string, facts: PolicyError["facts"]) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}

type Rule = readonly [min: number, max: number, unit?: "a second"] | "boolean" | readonly string[];

const rules = {
  preset: ["strict", "iot-core"],
  skewSeconds: [0, 600],
  graceSeconds: [0, 600],
  lifetimeMaxSeconds: [1, day + lenientSkewSeconds],
  honourNotBefore: "boolean",
  subject: ["required-from-own-agents", "checked-if-present"],
  digitStringTimes: "boolean",
  looseBase64: "boolean",
  pendingKeys: ["verify", "refuse"],
  duplicateKeys: ["refuse", "report"],
  keyOffers: ["refuse", "attested", "vouch"],
  keepSessions: "boolean",
  connectionMaxSeconds: [60, 365 * day],
  idleMaxSeconds: [10, day],
  gatewayAssociationOnly: ["refuse", "allow"],
  attachEndsDirectSession: "boolean",
  messagesPerSecond: [0, 100_000, "a second"],
  bytesPerSecond: [0, 1_000_000_000, "a second"],
  statesPerSecond: [0, 1_000, "a second"],
  configsPerSecond: [0, 1_000, "a second"],
  commandsPerSecond: [0, 10_000, "a second"],
} as const satisfies Record<keyof RegistryPolicy, Rule>;

/**
 * Checks a policy from outside: all fields there, none unknown, each in its range; seconds are whole.
 *
 * @returns The same fields, typed.
 * @throws {PolicyError} Naming the first field that is wrong.
 */
export function checkPolicy(policy: object): RegistryPolicy {
  const given: Readonly<Record<string, unknown>> = { ...policy };
  for (const field of Object.keys(given)) {
    if (!Object.hasOwn(rules, field)) {
      throw new PolicyError("policy_malformed", "the policy has a field that does not exist", {
        field: field.slice(0, fieldShownMax),
      });
    }
  }
  for (const [field, rule] of Object.entries<Rule>(rules)) checkField(field, given[field], rule);
  // Every field of the type has just been checked by the rule the compiler demanded for it.
  return given as unknown as RegistryPolicy;
}

const fieldShownMax = 40;

function checkField(field: string, value: unknown, rule: Rule): void {
  if (rule === "boolean") {
    if (typeof value === "boolean") return;
    throw new PolicyError("policy_malformed", `${field} must be true or false`, { field });
  }
  const [min, max, unit = "seconds"] = rule;
  if (typeof min === "number" && typeof max === "number") {
    if (typeof value !== "number" || !Number.isInteger(value)) {
      throw new PolicyError("policy_malformed", `${field} must be a whole number`, { field });
    }
    if (value >= min && value <= max) return;
    throw new PolicyError("policy_out_of_range", `${field} must be ${min} to ${max} ${unit}`, {
      field,
      value,
    });
  }
  if (typeof value === "string" && rule.some((allowed) => allowed === value)) return;
  throw new PolicyError("policy_malformed", `${field} must be one of: ${rule.join(", ")}`, { field });
}
