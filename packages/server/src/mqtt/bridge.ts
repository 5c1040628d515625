/**
 * The MQTT bridge: a pure machine over many Network Connections. Bytes, ticks and answers in; bytes, timers
 * and requests out. The same engine runs behind TLS sockets and in the simulator's virtual time.
 *
 * This file holds what concerns all connections at once: who is connected, takeover, the one clock, changes
 * of the registry, draining. One connection's life is in `connection.ts`.
 */
import type { ByteLink, ByteLinkEvents, Clock, DeviceName, Random, Timers } from "@mayfly/core";
import type { ProtocolVersion } from "@mayfly/core/mqtt";
import { type Admission, createAdmission, type DevicePrincipal } from "../auth/admission.ts";
import type { KeyVerifier } from "../auth/key-verifier.ts";
import type { DeviceRef, RegistryChange } from "../registry/model.ts";
import type { SessionStore } from "../registry/session-store.ts";
import type { RegistryStore } from "../registry/store.ts";
import type { Backbone } from "../telemetry/backbone.ts";
import { DeviceRates } from "../telemetry/device-rates.ts";
import { createIntake, type Intake } from "../telemetry/intake.ts";
import type { KeyReports } from "../telemetry/key-reports.ts";
import { Alarm } from "../time/alarm.ts";
import type { TestimonyListener } from "../time/time-witnesses.ts";
import { AdmissionQueue } from "./admission-queue.ts";
import { AttachmentTable } from "./attachment-table.ts";
import type { ConnectRequest } from "./connect-request.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import { InTurns } from "./in-turns.ts";
import {
  commandBytesMax,
  connectionMaxDefault,
  drainedAtOnce,
  drainPauseMillis,
  drainSpreadMillisMax,
  rejudgedPerTurnMax,
  unauthenticatedMaxDefault,
} from "./limits.ts";
import { Load, type LoadLevel } from "./load.ts";
import type { BridgeObserver, LinkFacts } from "./observer.ts";
import { isPlannedRenewal } from "./planned-renewal.ts";
import { SessionTable } from "./session-table.ts";
import { inTurns } from "./session-turns.ts";
import { TakeoverWatch } from "./takeover-watch.ts";

export interface BridgePorts {
  readonly clock: Clock;
  /** `after(0, …)` ends a turn: on Node make it `setImmediate`, so that acknowledgements leave without waiting. */
  readonly timers: Timers;
  readonly random: Random;
  readonly registry: Pick<
    RegistryStore,
    | "lookUpAdmission"
    | "lookUpConfig"
    | "appendState"
    | "acknowledgeConfig"
    | "recordActivity"
    | "recordAuthentication"
    | "onChange"
    | "lookUpAttachment"
  > &
    SessionStore;
  readonly backbone: Pick<Backbone, "append">;
  readonly verifier: KeyVerifier;
  readonly observer: BridgeObserver;
  /** Hears each authentic token. Absent: nobody does. */
  readonly testimony?: TestimonyListener;
  /** Judges what devices say of their keys. Absent: that is telemetry like any other. */
  readonly keyReports?: KeyReports;
}

export interface BridgeOptions {
  /** Network Connections at once, default 20,000. One above it is closed at once. */
  readonly connectionMax?: number;
  /** Of these, not yet admitted, default 1,000. */
  readonly unauthenticatedMax?: number;
}

/** What came of a command. Only `delivered` means the device has it (QoS 1) or it left (QoS 0). */
export type CommandOutcome =
  | "delivered"
  /**
   * The device's Session keeps it: durable, and sent until the device acknowledges it or the Session ends. A device
   * that comes back with a Maximum Packet Size below it never gets it.
   */
  | "queued"
  | "not_connected"
  | "not_subscribed"
  /** As many commands as the device takes at once are unacknowledged already. */
  | "too_many"
  /** Payload above 256 KiB, or above the device's Maximum Packet Size. */
  | "too_large"
  /** No PUBACK within 5 s; the device may have it all the same. */
  | "timed_out"
  /** Its PUBACK has a Reason Code of 0x80 or above: the device got it and did not take it. It is not sent again. */
  | "refused_by_device"
  | "connection_lost"
  /** A kept Session's command must be durable first, and the store could not take it. */
  | "store_unavailable";

export interface SessionView {
  readonly principal: DevicePrincipal;
  readonly protocolVersion: ProtocolVersion;
  readonly link: LinkFacts;
  readonly connectedMs: number;
  readonly deadlineSeconds: number;
  readonly subscriptions: readonly ("config" | "commands")[];
  readonly unacknowledged: number;
  /** Seconds the Session outlives its connection; 0 where it ends with it. */
  readonly sessionExpirySeconds: number;
}

/** Gauges. All are 0 when nobody is connected, but for the bounded hints of admission. */
export interface BridgeCounts {
  readonly connections: number;
  readonly unauthenticated: number;
  readonly sessions: number;
  /** Devices attached to gateways. */
  readonly attached: number;
  /** Connections and attached devices waiting for a due time (one entry each). */
  readonly deadlines: number;
  /** PUBLISHes handed to the store and not answered. */
  readonly unacknowledged: number;
  /** PUBLISHes decoded and held back. */
  readonly held: number;
  readonly heldBytes: number;
  /** Config and commands sent at QoS 1 and not acknowledged. */
  readonly downlinkInFlight: number;
  /** PUBLISHes handed to the store and not answered, of connections that are gone too; and their payload bytes. */
  readonly inFlightMessages: number;
  readonly inFlightBytes: number;
  /** Connections that hold PUBLISHes until the process has room. */
  readonly loadWaiters: number;
  /** CONNECTs that wait to be judged. */
  readonly admissionsWaiting: number;
  /** Sessions to be judged again after a change of the registry. */
  readonly rejudgements: number;
}

export interface Bridge {
  /** Takes over a Network Connection. The host feeds the returned events and calls `closed` once. */
  open(link: ByteLink, facts: LinkFacts): ByteLinkEvents;
  /**
   * Sends a command to a device that subscribed to `commands/#`; one that is not connected gets it when it comes
   * back, where its Session is kept.
   * @param answer called exactly once; at QoS 1 when the device acknowledged, at QoS 0 at once.
   */
  sendCommand(
    device: DeviceRef,
    command: { readonly payload: Uint8Array; readonly subfolder: string },
    answer: (outcome: CommandOutcome) => void,
  ): void;
  sessions(): readonly SessionView[];
  findSession(device: DeviceRef): SessionView | undefined;
  counts(): BridgeCounts;
  /** How full what waits for the store is: `full` refuses newcomers, and a balancer should send them elsewhere. */
  loadLevel(): LoadLevel;
  /**
   * Takes no new connections; ends each session (0x8B) once its PUBLISHes are durable, after 2 s at the latest.
   * Many sessions end in groups, so that their devices come back spread over up to 10 s.
   */
  drain(): void;
  /** The clock this bridge was handed moved: every session's deadline is worked out again, in bounded turns. */
  rederiveDeadlines(): void;
  /** Ends everything now, and stops listening to the registry. */
  close(): void;
  /** Shared with the HTTP bridge: one policy, one set of caches. */
  readonly admission: Admission;
  readonly intake: Intake;
  readonly rates: DeviceRates;
}

export function createBridge(ports: BridgePorts, options: BridgeOptions = {}): Bridge {
  return new MqttBridge(ports, options);
}

/** The bridge's ports, with what is asked about a device's Session in turns. */
export interface EnginePorts extends BridgePorts {
  readonly sessions: SessionStore;
}

class MqttBridge implements Bridge, ConnectionHost {
  readonly ports: EnginePorts;
  readonly admission: Admission;
  readonly intake: Intake;
  readonly rates: DeviceRates;
  readonly alarm: Alarm;
  readonly heldTotal = { bytes: 0 };
  readonly load: Load;
  readonly admissionQueue: AdmissionQueue;
  readonly attachments: AttachmentTable;
  changesSeen = 0;
  readonly #connectionMax: number;
  readonly #unauthenticatedMax: number;
  readonly #connections = new Set<Connection>();
  readonly #table = new SessionTable<Connection>();
  readonly #takeovers = new TakeoverWatch();
  readonly #stopListening: () => void;
  /** Connections that queued something in this turn. */
  #toFlush: Connection[] = [];
  /** Live sessions whose device's registry changed. */
  readonly #toRejudge = new Set<Connection>();
  #isRejudging = false;
  readonly #toRederive: InTurns<Connection>;
  #admitted = 0;
  #isTaking = true;

  constructor(ports: BridgePorts, options: BridgeOptions) {
    const isConnected = (device: DeviceRef) => this.#table.find(device)?.live?.kept !== undefined;
    this.ports = { ...ports, sessions: inTurns(ports.registry, isConnected) };
    this.#connectionMax = options.connectionMax ?? connectionMaxDefault;
    this.#unauthenticatedMax = options.unauthenticatedMax ?? unauthenticatedMaxDefault;
    this.admission = createAdmission(ports);
    this.intake = createIntake(ports);
    this.rates = new DeviceRates(ports.clock);
    this.alarm = new Alarm(ports);
    this.load = new Load(ports.timers);
    this.admissionQueue = new AdmissionQueue(ports.timers);
    this.attachments = new AttachmentTable(ports.timers, (principal) =>
      this.findLive(principal)?.end("taken_over"),
    );
    this.#toRederive = new InTurns(ports.timers, rejudgedPerTurnMax, ({ live }) => live?.rederive());
    this.#stopListening = ports.registry.onChange((change) => this.#changed(change));
  }

  open(link: ByteLink, facts: LinkFacts): ByteLinkEvents {
    const because = this.#findReasonNotToOpen();
    if (because === undefined) {
      const connection = new Connection(this, link, facts);
      this.#connections.add(connection);
      return connection;
    }
    link.close();
    this.ports.observer.connectRefused({ because, link: facts });
    return { received: () => undefined, closed: () => undefined };
  }

  sendCommand(
    device: DeviceRef,
    command: { readonly payload: Uint8Array; readonly subfolder: string },
    answer: (outcome: CommandOutcome) => void,
  ): void {
    const session = this.#table.find(device)?.live;
    const attached = this.attachments.find(device);
    // A device may speak for itself and be attached: what is for it alone goes to itself.
    if (
      session !== undefined &&
      (session.downlink.takesCommands || attached?.downlink.takesCommands !== true)
    ) {
      session.sendCommand(command, answer);
    } else if (attached?.downlink.takesCommands === true) {
      attached.downlink.sendCommand(command, answer);
    } else {
      this.#queueCommand(device, command, (outcome) =>
        answer(outcome === "not_connected" && attached !== undefined ? "not_subscribed" : outcome),
      );
    }
  }

  sessions(): readonly SessionView[] {
    return [...this.#table.all()].flatMap((connection) => connection.view() ?? []);
  }

  findSession(device: DeviceRef): SessionView | undefined {
    return this.#table.find(device)?.view();
  }

  counts(): BridgeCounts {
    let [unacknowledged, held, downlinkInFlight] = [0, 0, 0];
    for (const { live } of this.#table.all()) {
      if (live === undefined) continue;
      unacknowledged += live.uplink.unacknowledged;
      held += live.uplink.held;
      downlinkInFlight += live.openWindow?.size ?? 0;
    }
    return {
      connections: this.#connections.size,
      unauthenticated: this.#connections.size - this.#admitted,
      sessions: this.#table.size,
      attached: this.attachments.size,
      deadlines: this.alarm.size,
      unacknowledged,
      held,
      heldBytes: this.heldTotal.bytes,
      downlinkInFlight,
      inFlightMessages: this.load.messages,
      inFlightBytes: this.load.bytes,
      loadWaiters: this.load.waiters,
      admissionsWaiting: this.admissionQueue.size,
      rejudgements: this.#toRejudge.size,
    };
  }

  loadLevel(): LoadLevel {
    return this.load.level;
  }

  rederiveDeadlines(): void {
    for (const connection of this.#table.all()) this.#toRederive.add(connection);
    this.attachments.rederive();
  }

  drain(): void {
    this.#isTaking = false;
    const groups = Math.ceil(this.#table.size / drainedAtOnce);
    const pauseMillis = Math.min(drainPauseMillis, drainSpreadMillisMax / groups);
    const nowMillis = this.ports.clock.monotonicMillis();
    let sessions = 0;
    for (const connection of [...this.#connections]) {
      const group = Math.floor(sessions / drainedAtOnce);
      if (connection.live !== undefined) sessions += 1;
      connection.drainAt(nowMillis + group * pauseMillis);
    }
    // The first group need not wait for the alarm.
    this.alarm.ring();
  }

  close(): void {
    this.#isTaking = false;
    this.#stopListening();
    for (const connection of [...this.#connections]) connection.shut();
  }

  // ── What connections ask ──────────────────────────────────────────────────────────────────────────────

  flushLater(connection: Connection): void {
    this.#toFlush.push(connection);
    if (this.#toFlush.length > 1) return;
    this.ports.timers.after(0, () => {
      const connections = this.#toFlush;
      this.#toFlush = [];
      for (const each of connections) each.flush();
    });
  }

  rightEndsMillis({ device, ...registry }: DeviceName): number | undefined {
    return this.#table.find({ ...registry, device })?.live?.deadlineMillis;
  }

  takeoverDelay(request: ConnectRequest, principal: DevicePrincipal, link: LinkFacts): number {
    const before = this.findLive(principal);
    if (before === undefined || isPlannedRenewal(before, request, principal, this.ports.clock)) return 0;
    const nowMillis = this.ports.clock.monotonicMillis();
    const { delayMillis, isAlarm } = this.#takeovers.note(principal.deviceNumId, nowMillis);
    if (isAlarm) {
      this.ports.observer.alarm({
        kind: "takeover_storm",
        device: { ...principal.registry, device: principal.deviceId },
        addresses: [before.link.remoteAddress, link.remoteAddress],
      });
    }
    return delayMillis;
  }

  hasLiveSession(principal: DevicePrincipal): boolean {
    return this.findLive(principal)?.live?.kept !== undefined;
  }

  findLive(principal: DevicePrincipal): Connection | undefined {
    const connection = this.#table.find({ ...principal.registry, device: principal.deviceId });
    // The same name with another numId is another device, whose Session this one has no part in.
    const isSame = connection?.live?.principal.deviceNumId === principal.deviceNumId;
    return isSame ? connection : undefined;
  }

  enter(connection: Connection, principal: DevicePrincipal): Connection | undefined {
    this.#admitted += 1;
    this.attachments.connectedItself(principal);
    return this.#table.enter(connection, principal);
  }

  ended(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#toRejudge.delete(connection);
    this.#toRederive.delete(connection);
    const { principal } = connection;
    if (principal === undefined) return;
    this.#admitted -= 1;
    this.#table.leave(connection, principal);
  }

  rejudgeLater(connection: Connection): void {
    this.#toRejudge.add(connection);
    if (this.#isRejudging) return;
    this.#isRejudging = true;
    this.ports.timers.after(0, () => this.#rejudgeSome());
  }

  // ── Its own ───────────────────────────────────────────────────────────────────────────────────────────

  #findReasonNotToOpen(): "shutting_down" | "too_many_connections" | "too_many_unauthenticated" | undefined {
    if (!this.#isTaking) return "shutting_down";
    if (this.#connections.size >= this.#connectionMax) return "too_many_connections";
    const unauthenticated = this.#connections.size - this.#admitted;
    return unauthenticated >= this.#unauthenticatedMax ? "too_many_unauthenticated" : undefined;
  }

  /** For a device that is not connected. */
  #queueCommand(
    device: DeviceRef,
    command: { readonly payload: Uint8Array; readonly subfolder: string },
    answer: (outcome: CommandOutcome) => void,
  ): void {
    if (command.payload.length > commandBytesMax) {
      answer("too_large");
      return;
    }
    this.ports.sessions.queueCommand(device, { ...command, isSentNow: false }).then(
      (outcome) => {
        if (outcome.kind === "no_session") {
          answer("not_connected");
          return;
        }
        // The device may have come back meanwhile, and found its Session without this one.
        if (outcome.kind === "queued") {
          const { packetIdentifier } = outcome;
          const { live } = this.#table.find(device) ?? {};
          live?.takeKept({ packetIdentifier, ...command, mayHaveBeenSent: false });
        }
        answer(outcome.kind);
      },
      () => answer("store_unavailable"),
    );
  }

  #changed(change: RegistryChange): void {
    this.changesSeen += 1;
    this.attachments.changed(change);
    if (change.deviceId === undefined) {
      for (const connection of this.#table.ofRegistry(change.registry)) this.rejudgeLater(connection);
      return;
    }
    const connection = this.#table.find({ ...change.registry, device: change.deviceId });
    if (connection === undefined) return;
    if (change.kind === "config_updated") connection.live?.downlink.configChanged();
    else this.rejudgeLater(connection);
  }

  /** A change of a whole registry concerns many: so many in a turn, and reading goes on in between. */
  #rejudgeSome(): void {
    this.#isRejudging = false;
    let left = rejudgedPerTurnMax;
    for (const connection of this.#toRejudge) {
      if (left === 0) break;
      left -= 1;
      this.#toRejudge.delete(connection);
      const session = connection.live;
      if (session === undefined) continue;
      const device = { ...session.principal.registry, device: session.principal.deviceId };
      this.ports.registry.lookUpAdmission(device, (record) => connection.live?.rejudge(record));
    }
    for (const connection of this.#toRejudge) {
      this.rejudgeLater(connection);
      break;
    }
  }
}
