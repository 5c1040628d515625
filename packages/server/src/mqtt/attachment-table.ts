/**
 * Who is attached where, over all gateways of the bridge: a device is attached to one at most, and the newest attach
 * wins. What concerns a device, a change of the registry or a command, finds it here.
 *
 * Left to others: one gateway's devices (`attachments.ts`).
 */
import type { Timers } from "@mayfly/core";
import type { DevicePrincipal } from "../auth/admission.ts";
import type { DeviceRef, RegistryChange } from "../registry/model.ts";
import { AttachLimits } from "./attach-limits.ts";
import type { AttachedDevice } from "./attached-device.ts";
import { InTurns } from "./in-turns.ts";
import { rejudgedPerTurnMax } from "./limits.ts";
import { SessionTable } from "./session-table.ts";

export class AttachmentTable {
  readonly limits = new AttachLimits();
  readonly #table = new SessionTable<AttachedDevice>();
  readonly #toAskAgain: InTurns<AttachedDevice>;
  readonly #toRederive: InTurns<AttachedDevice>;
  readonly #endDirectSession: (principal: DevicePrincipal) => void;

  /** @param endDirectSession ends the connection that the device itself has, if any. */
  constructor(timers: Timers, endDirectSession: (principal: DevicePrincipal) => void) {
    this.#toAskAgain = new InTurns(timers, rejudgedPerTurnMax, (device) => device.askAgain());
    this.#toRederive = new InTurns(timers, rejudgedPerTurnMax, (device) => device.rederive());
    this.#endDirectSession = endDirectSession;
  }

  get size(): number {
    return this.#table.size;
  }

  find(device: DeviceRef): AttachedDevice | undefined {
    return this.#table.find(device);
  }

  /** A gateway attached it; whoever had it before has it no longer. */
  attached(device: AttachedDevice): void {
    this.enter(device);
    if (device.principal.policy.attachEndsDirectSession) this.#endDirectSession(device.principal);
  }

  /** As {@link attached}, of one that goes on over another connection of its gateway. */
  enter(device: AttachedDevice): void {
    this.#table.enter(device, device.principal)?.detach("attached_elsewhere");
  }

  leave(device: AttachedDevice): void {
    this.#table.leave(device, device.principal);
    this.#toAskAgain.delete(device);
    this.#toRederive.delete(device);
  }

  /** The device has connected itself: where it may have one connection only, that is the newer one. */
  connectedItself(principal: DevicePrincipal): void {
    if (!principal.policy.attachEndsDirectSession) return;
    this.#table.find({ ...principal.registry, device: principal.deviceId })?.detach("direct_connection");
  }

  askAgain(device: AttachedDevice): void {
    this.#toAskAgain.add(device);
  }

  /** The registry changed. */
  changed({ registry, deviceId, kind }: RegistryChange): void {
    if (deviceId === undefined) {
      for (const device of this.#table.ofRegistry(registry)) this.askAgain(device);
      return;
    }
    const device = this.#table.find({ ...registry, device: deviceId });
    if (device === undefined) return;
    if (kind === "config_updated") device.downlink.configChanged();
    else this.askAgain(device);
  }

  /** The clock moved. */
  rederive(): void {
    for (const device of this.#table.all()) this.#toRederive.add(device);
  }
}
