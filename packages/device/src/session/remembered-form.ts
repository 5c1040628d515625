/**
 * Remembered form: how this bridge took our token when it was asked last, so that a restart is not refused first.
 *
 * For a month, and for this bridge alone: a bridge that did not know the method may learn it, and an agent that is
 * pointed at another bridge knows nothing of it. What cannot be read or kept costs one refusal after a restart.
 *
 * One value of 18 bytes: version, form, eight bytes of the bridge's SHA-256, and when it was learned (NumericDate,
 * binary64). Written when what is known changes, which is about once a month at most.
 *
 * Left to others: learning it (`authentication-form.ts`).
 */
import { type NumericDate, type Sha256, utf8Encode } from "@mayfly/core";
import type { AgentSettings } from "../options.ts";
import type { AgentPorts, SmallStore } from "../ports.ts";
import type { AuthenticationFormName } from "./authentication-form.ts";

export const rememberedKey = "auth-form";
export const rememberedSecondsMax = 30 * 86_400;

const version = 1;
const valueBytes = 18;
const tagBytes = 8;
const tagAt = 2;
const learnedAt = tagAt + tagBytes;

export class RememberedForm {
  readonly #store: SmallStore;
  readonly #tag: Uint8Array;
  #known: AuthenticationFormName | undefined;

  /** @param bridge Names it: its host and port. */
  constructor(store: SmallStore, sha256: Sha256, bridge: string) {
    this.#store = store;
    this.#tag = sha256.digest(utf8Encode(bridge)).subarray(0, tagBytes);
  }

  /** @returns undefined: nothing is known of this bridge, or not of late. */
  recall(now: NumericDate): AuthenticationFormName | undefined {
    this.#known = decode(this.#store.read(rememberedKey), this.#tag, now);
    return this.#known;
  }

  /** The bridge took a CONNECT of this form. */
  learn(name: AuthenticationFormName, now: NumericDate): void {
    if (name === this.#known) return;
    this.#known = name;
    // Nothing is lost with it but a refusal after the next start.
    this.#store.write(rememberedKey, encode(name, this.#tag, now)).catch(() => undefined);
  }
}

/** @returns undefined: nothing outlives a restart here, or there is one form only (MQTT 3.1.1). */
export function findRememberedForm(
  ports: Pick<AgentPorts, "store" | "sha256">,
  settings: Pick<AgentSettings, "protocolVersion" | "bridge">,
): RememberedForm | undefined {
  if (ports.store === undefined || settings.protocolVersion === 4) return undefined;
  return new RememberedForm(ports.store, ports.sha256, settings.bridge);
}

function encode(name: AuthenticationFormName, tag: Uint8Array, now: NumericDate): Uint8Array {
  const value = new Uint8Array(valueBytes);
  value[0] = version;
  value[1] = name === "password" ? 1 : 0;
  value.set(tag, tagAt);
  new DataView(value.buffer).setFloat64(learnedAt, now);
  return value;
}

function decode(
  value: Uint8Array | undefined,
  tag: Uint8Array,
  now: NumericDate,
): AuthenticationFormName | undefined {
  if (value?.length !== valueBytes || value[0] !== version) return undefined;
  for (let i = 0; i < tagBytes; i++) if (value[tagAt + i] !== tag[i]) return undefined;
  const learned = new DataView(value.buffer, value.byteOffset, valueBytes).getFloat64(learnedAt);
  // Also when the clock went back, and when what is there is no number.
  if (!(Math.abs(now - learned) <= rememberedSecondsMax)) return undefined;
  return value[1] === 1 ? "password" : "method";
}
