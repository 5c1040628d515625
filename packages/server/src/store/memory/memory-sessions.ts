/**
 * Sessions of the registry in memory: one per device, by the device's numId, which is never used twice.
 *
 * Nothing here has a timer: a Session that is over is forgotten by whoever looks next. It may outlive its end
 * unseen, bounded like the devices themselves.
 */
import type { DeviceRef, KeyRecord } from "../../registry/model.ts";
import {
  type CommandToQueue,
  type KeptCommand,
  type KeptSession,
  keptCommandBytesMax,
  keptCommandsMax,
  type QueueCommandOutcome,
  type SessionToSave,
} from "../../registry/session-store.ts";
import { StoreError } from "../../registry/store.ts";
import { findFreePacketIdentifier, isKeyVerifying, packetIdentifierAfter } from "../session-rules.ts";

interface StoredSession {
  readonly facts: Omit<KeptSession, "commands">;
  /** The connection that has it, or when it ends. */
  readonly life: { readonly owner: string } | { readonly endsMs: number };
  readonly commands: readonly KeptCommand[];
  readonly nextPacketIdentifier: number;
}

export interface MemorySessionsPorts {
  findDevice(ref: DeviceRef): { readonly numId: string; readonly keys: readonly KeyRecord[] } | undefined;
  nowMs(): number;
}

export class MemorySessions {
  readonly #ports: MemorySessionsPorts;
  readonly #sessions = new Map<string, StoredSession>();

  constructor(ports: MemorySessionsPorts) {
    this.#ports = ports;
  }

  find(device: DeviceRef): KeptSession | undefined {
    const session = this.#findLiving(device)?.session;
    return session === undefined ? undefined : { ...session.facts, commands: session.commands };
  }

  /** @throws {StoreError} not_found */
  save(device: DeviceRef, { owner, isNew, ...facts }: SessionToSave): void {
    const found = this.#ports.findDevice(device);
    if (found === undefined) throw new StoreError("not_found", `there is no device ${device.device}`);
    if (!isKeyVerifying(found.keys, facts.keyFingerprint, this.#ports.nowMs())) {
      throw new StoreError("not_found", `device ${device.device} has no such key that may verify`);
    }
    const before = this.#findLiving(device)?.session;
    const commands = isNew ? [] : (before?.commands ?? []);
    this.#sessions.set(found.numId, {
      facts,
      life: { owner },
      commands: commands.map((command) => ({ ...command, mayHaveBeenSent: true })),
      nextPacketIdentifier: before?.nextPacketIdentifier ?? 1,
    });
  }

  leave(device: DeviceRef, owner: string, expirySeconds: number): void {
    const found = this.#findLiving(device);
    if (found === undefined || !isOwnedBy(found.session, owner)) return;
    this.#sessions.set(found.numId, {
      ...found.session,
      facts: { ...found.session.facts, expirySeconds },
      life: { endsMs: this.#ports.nowMs() + expirySeconds * 1000 },
    });
  }

  end(device: DeviceRef, owner?: string): void {
    const found = this.#findLiving(device);
    if (found === undefined || (owner !== undefined && !isOwnedBy(found.session, owner))) return;
    this.#sessions.delete(found.numId);
  }

  queue(device: DeviceRef, { subfolder, payload, isSentNow }: CommandToQueue): QueueCommandOutcome {
    const found = this.#findLiving(device);
    if (found === undefined) return { kind: "no_session" };
    const { numId, session } = found;
    if (session.facts.subscriptions.commands !== 1) return { kind: "not_subscribed" };
    const bytes = session.commands.reduce((sum, one) => sum + one.payload.length, payload.length);
    if (session.commands.length >= keptCommandsMax || bytes > keptCommandBytesMax)
      return { kind: "too_many" };
    const inUse = new Set(session.commands.map((one) => one.packetIdentifier));
    const packetIdentifier = findFreePacketIdentifier(session.nextPacketIdentifier, inUse);
    const command = { packetIdentifier, subfolder, payload: payload.slice(), mayHaveBeenSent: isSentNow };
    this.#sessions.set(numId, {
      ...session,
      commands: [...session.commands, command],
      nextPacketIdentifier: packetIdentifierAfter(packetIdentifier),
    });
    return { kind: "queued", packetIdentifier };
  }

  remove(device: DeviceRef, packetIdentifier: number): void {
    const found = this.#findLiving(device);
    if (found === undefined) return;
    const commands = found.session.commands.filter((one) => one.packetIdentifier !== packetIdentifier);
    this.#sessions.set(found.numId, { ...found.session, commands });
  }

  /** The device has these keys from now on, or none: a Session whose key is not among them ends. */
  keysReplaced(numId: string, keys: readonly KeyRecord[]): void {
    const session = this.#sessions.get(numId);
    if (session === undefined || isKeyVerifying(keys, session.facts.keyFingerprint, this.#ports.nowMs()))
      return;
    this.#sessions.delete(numId);
  }

  #findLiving(device: DeviceRef): { readonly numId: string; readonly session: StoredSession } | undefined {
    const numId = this.#ports.findDevice(device)?.numId;
    const session = numId === undefined ? undefined : this.#sessions.get(numId);
    if (numId === undefined || session === undefined) return undefined;
    if ("owner" in session.life || this.#ports.nowMs() < session.life.endsMs) return { numId, session };
    this.#sessions.delete(numId);
    return undefined;
  }
}

function isOwnedBy(session: StoredSession, owner: string): boolean {
  return "owner" in session.life && session.life.owner === owner;
}
