/**
 * Key choice: which key of this device signs now, as whoever mints and connects asks for it.
 *
 * A device with one key has no choice, and needs no code for one ({@link singleKey}). One with several brings
 * `createDeviceKeys` (`device-keys.ts`), which switches on an instruction and falls back where a key is refused.
 */
import type { Sha256 } from "@mayfly/core";
import type { InstructionResult } from "@mayfly/core/instruction";
import type { AgentSigner, Readiness } from "../ports.ts";

/** What a choice of keys asks of the agent around it. */
export interface KeyHost {
  /** `projects/…/devices/…`, by string id or numId. */
  readonly devicePath: string;
  readonly sha256: Sha256;
  readiness(): Readiness;
  /** Another key signs from now on: the present connection stays until one that rests on it is accepted. */
  keyChanged(): void;
  /** Sends a message of ours beside the application's. @returns whether it was taken. */
  send(subfolder: string, text: string): boolean;
  tell(event: KeyEvent): void;
}

export type KeyEvent =
  /** A key other than before is in use. */
  | {
      readonly kind: "key_changed";
      readonly keyId: string;
      readonly slot: number;
      readonly because: "instructed" | "previous_refused";
    }
  /** An instruction came, and this came of it. */
  | ({ readonly kind: "instruction" } & InstructionResult);

export interface KeyChoice {
  readonly signer: AgentSigner;
  readonly slot: number | undefined;
  /** Of the last instruction that came since the start. */
  readonly lastInstruction: InstructionResult | undefined;
  /** Once, before anything else. */
  attach(host: KeyHost): void;
  /** The bridge accepted a token of this key. */
  accepted(keyId: string): void;
  /** The bridge refused a CONNECT with a token of this key, and not for the time. */
  refused(keyId: string): void;
  signFailed(keyId: string): void;
  /** A command in a subfolder of ours. @returns when it may be acknowledged; never rejects. */
  take(subfolder: string, payload: Uint8Array): Promise<void>;
}

/** One key, for good. */
export function singleKey(signer: AgentSigner, slot: number | undefined): KeyChoice {
  const nothing = (): void => {};
  return {
    signer,
    slot,
    lastInstruction: undefined,
    attach: nothing,
    accepted: nothing,
    refused: nothing,
    signFailed: nothing,
    take: async () => {},
  };
}
