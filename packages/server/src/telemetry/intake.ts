/**
 * Telemetry intake: one way in for what devices send, whichever bridge they speak to.
 *
 * It checks the size, recognises a message sent again, stamps the arrival and hands the message on; the answer comes when the message would
 * survive the loss of power, or with the reason why it was not taken. Who may send at all was decided by
 * admission; acknowledging on the wire is the bridge's business.
 */
import type { Clock } from "@mayfly/core";
import type { DevicePrincipal } from "../auth/admission.ts";
import { type RegistryStore, StoreError } from "../registry/store.ts";
import type { Backbone, TelemetryMessage } from "./backbone.ts";
import { isKeyReport, type KeyReports } from "./key-reports.ts";
import { RecentMessages } from "./recent-messages.ts";
import { findEventTopic } from "./routing.ts";

/** design §9, cloud-iot-core.md §8. */
export const eventBytesMax = 256 * 1024;
export const stateBytesMax = 64 * 1024;

export type IntakeRefusal =
  | "queue_full"
  | "disk_full"
  | "closed"
  | "store_failed" /* later, perhaps */
  | "device_gone"
  | "payload_too_large"; /* never */

export type IntakeOutcome =
  | { readonly kind: "durable"; readonly messageId?: string }
  | { readonly kind: "refused"; readonly because: IntakeRefusal };

export interface DeviceEvent {
  /** Text after `events/`, "" for none. */
  readonly subfolder: string;
  /** Not kept after the call. */
  readonly payload: Uint8Array;
  readonly deviceMessageId?: string;
  /** Device id of the gateway that speaks for the device. */
  readonly gatewayId?: string;
}

export interface Intake {
  /** @param done called exactly once, never synchronously unless the payload is too large. */
  takeEvent(principal: DevicePrincipal, event: DeviceEvent, done: (outcome: IntakeOutcome) => void): void;
  /**
   * Where the registry names a topic for states, each one that is durable goes there as a message too: best effort, as
   * in Cloud IoT Core; the state itself is what the answer is about.
   * @param done as for events. `payload` is not kept after the call.
   * @param gatewayId device id of the gateway that speaks for the device.
   */
  takeState(
    principal: DevicePrincipal,
    payload: Uint8Array,
    done: (outcome: IntakeOutcome) => void,
    gatewayId?: string,
  ): void;
}

export interface IntakePorts {
  readonly clock: Clock;
  readonly registry: Pick<RegistryStore, "appendState">;
  readonly backbone: Pick<Backbone, "append">;
  /** Absent: what devices say of their keys is telemetry like any other. */
  readonly keyReports?: KeyReports;
  /** A state is durable, but its topic will never have it. */
  readonly onStateUntold?: (because: IntakeRefusal) => void;
}

const tooLarge = { kind: "refused", because: "payload_too_large" } as const;
const judged = { kind: "durable" } as const;
const stateDurable = { kind: "durable" } as const;

export function createIntake({ clock, registry, backbone, keyReports, onStateUntold }: IntakePorts): Intake {
  const recent = new RecentMessages();
  return {
    takeEvent(principal, { subfolder, payload, deviceMessageId, gatewayId }, done) {
      if (payload.length > eventBytesMax) return done(tooLarge);
      if (keyReports !== undefined && isKeyReport(subfolder)) {
        keyReports.take(principal, subfolder, payload).then(
          () => done(judged),
          (error: unknown) => done({ kind: "refused", because: refusalOf(error) }),
        );
        return;
      }
      const { deviceNumId } = principal;
      const settle =
        deviceMessageId === undefined
          ? done
          : recent.take({ deviceNumId, deviceMessageId, subfolder, payload }, clock.monotonicMillis(), done);
      if (settle === undefined) return;
      const topic = findEventTopic(principal.routes, subfolder);
      backbone.append(
        {
          ...originOf(principal, gatewayId),
          subfolder,
          payload,
          publishMs: Math.floor(clock.wallSeconds() * 1000),
          ...(deviceMessageId === undefined ? {} : { deviceMessageId }),
          ...(topic === undefined ? {} : { topic }),
        },
        settle,
      );
    },

    takeState(principal, payload, done, gatewayId) {
      if (payload.length > stateBytesMax) return done(tooLarge);
      const updateMs = Math.floor(clock.wallSeconds() * 1000);
      // The store may keep the array until its writer took it, and `payload` is a view that will not last.
      const binaryData = payload.slice();
      registry
        .appendState({ ...principal.registry, device: principal.deviceId }, { updateMs, binaryData })
        .then(
          () => {
            done(stateDurable);
            const topic = principal.routes.stateNotificationTopic;
            if (topic === "") return;
            const state = {
              subfolder: "",
              payload: binaryData,
              publishMs: updateMs,
              topic,
              kind: "state",
            } as const;
            backbone.append({ ...originOf(principal, gatewayId), ...state }, (outcome) => {
              if (outcome.kind === "refused") onStateUntold?.(outcome.because);
            });
          },
          (error: unknown) => done({ kind: "refused", because: refusalOf(error) }),
        );
    },
  };
}

function originOf(
  { registry, registryNumId, deviceId, deviceNumId }: DevicePrincipal,
  gatewayId: string | undefined,
): Pick<TelemetryMessage, "registry" | "deviceId" | "deviceNumId" | "gatewayId"> {
  return {
    registry: { ...registry, numId: registryNumId },
    deviceId,
    deviceNumId,
    ...(gatewayId === undefined ? {} : { gatewayId }),
  };
}

function refusalOf(error: unknown): IntakeRefusal {
  if (!(error instanceof StoreError)) return "store_failed";
  switch (error.code) {
    case "not_found":
      return "device_gone";
    case "disk_full":
    case "closed":
      return error.code;
    default:
      return "store_failed";
  }
}
