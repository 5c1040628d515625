/**
 * Options of the agent, with their defaults and bounds.
 *
 * Left to others: which of them an operator may set (the program that embeds the agent).
 */
import { type DeviceName, formatDeviceName, parseDeviceName } from "@mayfly/core";
import type { ProtocolVersion } from "@mayfly/core/mqtt";
import type { OutboxBounds } from "./outbox.ts";
import { type WireSettings, wireDefaults } from "./session/wire-settings.ts";

export interface AgentOptions extends DeviceName {
  /** 5 is MQTT 5.0, 4 is MQTT 3.1.1. Default 5. */
  readonly protocolVersion?: ProtocolVersion;
  /**
   * Clean Session of MQTT 3.1.1, Clean Start of MQTT 5. With false the bridge may keep the Session when the connection is
   * gone, and a renewal of MQTT 3.1.1 hands it over. Default true.
   */
  readonly cleanSession?: boolean;
  /** `exp - iat` of the tokens: {@link AgentOptions.lifetimeFloorSeconds} to 86,400. Default 3,600. */
  readonly lifetimeSeconds?: number;
  /** Shortest lifetime taken, at least 10. Default 3,600; less is for demonstrations. */
  readonly lifetimeFloorSeconds?: number;
  /**
   * Seconds from the first token's minting to the first renewal, instead of the draw: staggers a demonstration. Never
   * later than a renewal is safe.
   */
  readonly firstRenewalAfterSeconds?: number;
  /** 5 to 1,200. Default 60. */
  readonly keepAliveSeconds?: number;
  readonly outbox?: OutboxBounds;
  /** What this device takes of a bridge, and how fast it speaks. */
  readonly wire?: Partial<WireSettings>;
  /** How long the application's handler of a config or command may take, 1 to 3,600. Default 30. */
  readonly handlerSecondsMax?: number;
  /** The bridge's host and port, or any other name of it: what is learned of one bridge is not held for true of another. */
  readonly bridge?: string;
  /**
   * Wraps the payload of each event with its message id, for applications behind a protocol that has no place for one
   * (MQTT 3.1.1). See `unwrapEnvelope`. Default false.
   */
  readonly envelope?: boolean;
  /** Which of the chip's key pairs signs; shown in the status, no more. */
  readonly slot?: number;
}

export interface AgentSettings {
  /** `projects/P/locations/L/registries/R/devices/D`: Client Identifier and `sub`. */
  readonly clientIdentifier: string;
  readonly project: string;
  readonly device: string;
  readonly protocolVersion: ProtocolVersion;
  readonly cleanSession: boolean;
  readonly lifetimeSeconds: number;
  readonly firstRenewalAfterSeconds: number | undefined;
  readonly keepAliveSeconds: number;
  readonly outbox: OutboxBounds;
  readonly wire: WireSettings;
  readonly handlerSecondsMax: number;
  readonly bridge: string;
  readonly envelope: boolean;
  readonly slot: number | undefined;
}

export const lifetimeSecondsDefault = 3_600;
export const lifetimeSecondsMax = 86_400;
export const lifetimeSecondsMin = 10;
const keepAliveSecondsDefault = 60;
const handlerSecondsMaxDefault = 30;
const outboxDefault: OutboxBounds = { messagesMax: 1_000, bytesMax: 4 * 1024 * 1024 };

/** An option has a value the agent does not run with; `message` says which and why. */
export class AgentOptionError extends Error {
  override readonly name = "AgentOptionError";
  readonly code = "option_invalid";
}

/** Fills in the defaults. @throws {AgentOptionError} @throws {IdError} A part of the device's name is malformed. */
export function settleOptions(options: AgentOptions): AgentSettings {
  const clientIdentifier = formatDeviceName(options);
  parseDeviceName(clientIdentifier);
  if (options.device.includes("+")) {
    throw new AgentOptionError(
      "a device whose id has a + cannot be named in a topic; it has only the HTTP bridge",
    );
  }

  const { protocolVersion = 5, cleanSession = true } = options;

  const floor = options.lifetimeFloorSeconds ?? lifetimeSecondsDefault;
  checkRange("lifetimeFloorSeconds", floor, lifetimeSecondsMin, lifetimeSecondsMax);
  const lifetimeSeconds = options.lifetimeSeconds ?? Math.max(lifetimeSecondsDefault, floor);
  checkRange("lifetimeSeconds", lifetimeSeconds, floor, lifetimeSecondsMax);

  const first = options.firstRenewalAfterSeconds;
  if (first !== undefined) checkRange("firstRenewalAfterSeconds", first, 1, lifetimeSeconds);

  const keepAliveSeconds = options.keepAliveSeconds ?? keepAliveSecondsDefault;
  checkRange("keepAliveSeconds", keepAliveSeconds, 5, 1_200);

  const outbox = options.outbox ?? outboxDefault;
  checkRange("outbox.messagesMax", outbox.messagesMax, 1, 100_000);
  checkRange("outbox.bytesMax", outbox.bytesMax, 1, 64 * 1024 * 1024);

  const wire = { ...wireDefaults, ...options.wire };
  checkRange("wire.maximumPacketSize", wire.maximumPacketSize, 512, 1024 * 1024);
  checkRange("wire.receiveMaximum", wire.receiveMaximum, 1, wireDefaults.receiveMaximum);
  checkRange("wire.inFlightMaximum", wire.inFlightMaximum, 1, wireDefaults.inFlightMaximum);
  checkRange("wire.topicAliasMaximum", wire.topicAliasMaximum, 0, 16);
  checkRange("wire.sessionExpirySeconds", wire.sessionExpirySeconds, 1, 0xffff_ffff);
  checkRange("wire.messagesPerSecond", wire.messagesPerSecond, 1, 100_000);
  checkRange("wire.bytesPerSecond", wire.bytesPerSecond, 1_024, 1024 * 1024 * 1024);
  checkRange("wire.statePauseMillis", wire.statePauseMillis, 0, 60_000);

  const handlerSecondsMax = options.handlerSecondsMax ?? handlerSecondsMaxDefault;
  checkRange("handlerSecondsMax", handlerSecondsMax, 1, 3_600);

  return {
    clientIdentifier,
    project: options.project,
    device: options.device,
    protocolVersion,
    cleanSession,
    lifetimeSeconds,
    firstRenewalAfterSeconds: first,
    keepAliveSeconds,
    outbox,
    wire,
    handlerSecondsMax,
    bridge: options.bridge ?? "",
    envelope: options.envelope ?? false,
    slot: options.slot,
  };
}

function checkRange(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new AgentOptionError(`${name} must be a whole number from ${least} to ${most}, not ${value}`);
}
