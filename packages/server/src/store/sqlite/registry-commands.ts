/**
 * What the registry's writer thread can be asked: plain values, so that they can cross to it.
 *
 * Instants and candidate numIds come along, since the writer has neither clock nor chance of its own.
 */
import type { AuthenticationUpdate } from "../../auth/authentication-record.ts";
import type { BindingLimits } from "../../registry/gateway-store.ts";
import type {
  DeviceConfigVersion,
  DeviceRecord,
  DeviceRef,
  DeviceStateVersion,
  RegistryRecord,
  RegistryRef,
} from "../../registry/model.ts";
import type { CommandToQueue, QueueCommandOutcome, SessionToSave } from "../../registry/session-store.ts";
import type {
  ActivityUpdate,
  AdminTokenRecord,
  DevicePatch,
  RegistryPatch,
  StoreErrorCode,
} from "../../registry/store.ts";

export type NewRegistry = Omit<RegistryRecord, "numId" | "createdMs" | "updatedMs">;
export type NewDevice = Omit<
  DeviceRecord,
  "numId" | "createdMs" | "updatedMs" | "config" | "state" | "activity"
> & { readonly config?: Uint8Array };

/** Each command with what it takes and what it answers. */
export interface RegistryCommands {
  createRegistry: { take: { record: NewRegistry; numIds: readonly string[] }; answer: RegistryRecord };
  updateRegistry: { take: { ref: RegistryRef; patch: RegistryPatch }; answer: RegistryRecord };
  deleteRegistry: { take: { ref: RegistryRef }; answer: undefined };
  createDevice: { take: { record: NewDevice; numIds: readonly string[] }; answer: DeviceRecord };
  updateDevice: { take: { ref: DeviceRef; patch: DevicePatch }; answer: DeviceRecord };
  deleteDevice: { take: { ref: DeviceRef }; answer: undefined };
  bindDevice: {
    take: { ref: RegistryRef; gateway: string; device: string; limits: BindingLimits };
    answer: undefined;
  };
  unbindDevice: { take: { ref: RegistryRef; gateway: string; device: string }; answer: undefined };
  modifyConfig: {
    take: { ref: DeviceRef; binaryData: Uint8Array; versionToUpdate: number };
    answer: DeviceConfigVersion;
  };
  acknowledgeConfig: { take: { ref: DeviceRef; version: number; atMs: number }; answer: undefined };
  appendState: { take: { ref: DeviceRef; state: DeviceStateVersion }; answer: undefined };
  recordAuthentications: { take: { updates: readonly AuthenticationUpdate[] }; answer: undefined };
  recordActivity: { take: { updates: readonly ActivityUpdate[] }; answer: undefined };
  addAdminToken: { take: { record: AdminTokenRecord }; answer: undefined };
  removeAdminToken: { take: { hash: string }; answer: boolean };
  saveSession: { take: { ref: DeviceRef; session: SessionToSave }; answer: undefined };
  leaveSession: { take: { ref: DeviceRef; owner: string; expirySeconds: number }; answer: undefined };
  endSession: { take: { ref: DeviceRef; owner?: string }; answer: undefined };
  queueCommand: { take: { ref: DeviceRef; command: CommandToQueue }; answer: QueueCommandOutcome };
  removeCommand: { take: { ref: DeviceRef; packetIdentifier: number }; answer: undefined };
  /** Every Session that counts as connected is left now, at most a chunk. @returns how many. */
  leaveAllSessions: { take: Record<never, never>; answer: number };
  /** Forgets Sessions that are over, at most a chunk. @returns how many. */
  trimSessions: { take: Record<never, never>; answer: number };
  /** Forgets changes made before `beforeMs`, at most a chunk. @returns how many. */
  trimChanges: { take: { beforeMs: number }; answer: number };
  /** Writes and removes some bytes, to learn whether the disk takes them. */
  probe: { take: Record<never, never>; answer: undefined };
}

export type CommandKind = keyof RegistryCommands;
export type RegistryCommand = {
  [K in CommandKind]: { readonly kind: K; readonly nowMs: number } & Readonly<RegistryCommands[K]["take"]>;
}[CommandKind];

export type CommandOf<K extends CommandKind> = Extract<RegistryCommand, { kind: K }>;
export type AnswerOf<K extends CommandKind> = RegistryCommands[K]["answer"];

export type CommandResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: StoreErrorCode; readonly message: string };

/** Commands that become durable in one transaction; a refused one leaves the others alone. */
export interface RegistryBatch {
  readonly commands: readonly RegistryCommand[];
}

export interface RegistryBatchReply {
  /** One for each command, in order. */
  readonly results: readonly CommandResult[];
  /** Why nothing of the batch was committed, where that is so. */
  readonly failed?: { readonly code: StoreErrorCode; readonly message: string };
}

/** How the writer was opened, for its worker data. */
export interface RegistryWriterData {
  readonly file: string;
  readonly busyMillis: number;
}
