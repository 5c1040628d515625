/**
 * A small world for tests of the bridge: virtual time, links in memory, the memory store, a backbone that
 * answers when told to, and clients that speak through core's client codec.
 */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { ByteLink, ByteLinkEvents, Clock, Timers } from "@mayfly/core";
import type {
  ClientPacket,
  ConnectPacket,
  ProtocolVersion,
  PublishPacket,
  ServerPacket,
} from "@mayfly/core/mqtt";
import { ClientDecoder, encodeClientPacket } from "@mayfly/core/mqtt-client";
import {
  encodeTokenSigningInput,
  joinToken,
  type KeyState,
  policyPresets,
  type RegistryPolicy,
} from "@mayfly/core/token";
import { createNodeKeyVerifier } from "../src/host/node-key-verifier.ts";
import { type Bridge, type BridgeOptions, createBridge } from "../src/mqtt/bridge.ts";
import type { BridgeObserver } from "../src/mqtt/observer.ts";
import type { DeviceRef, KeyRecord } from "../src/registry/model.ts";
import { eventRetentionDefault } from "../src/registry/model.ts";
import type { RegistryStore } from "../src/registry/store.ts";
import { createMemoryRegistryStore } from "../src/store/memory/index.ts";
import type { AppendOutcome, TelemetryMessage } from "../src/telemetry/backbone.ts";
import type { TestimonyListener } from "../src/time/time-witnesses.ts";

export const registryRef = { project: "mayfly", location: "here", registry: "greenhouse" } as const;
export const startSeconds = 1_700_000_000;

/** Time that moves only when told to. */
export class VirtualTime implements Clock, Timers {
  #millis = 5_000;
  #wallAheadSeconds = 0;
  #sequence = 0;
  readonly #waiting: { readonly at: number; readonly sequence: number; readonly run: () => void }[] = [];

  monotonicMillis(): number {
    return this.#millis;
  }

  wallSeconds(): number {
    return this.trueSeconds() + this.#wallAheadSeconds;
  }

  /** What the world's clock shows, whatever this machine's does. */
  trueSeconds(): number {
    return startSeconds + (this.#millis - 5_000) / 1000;
  }

  /** The machine's wall clock steps, from now on. */
  stepWall(seconds: number): void {
    this.#wallAheadSeconds += seconds;
  }

  after(delayMillis: number, run: () => void): () => void {
    const timer = { at: this.#millis + delayMillis, sequence: this.#sequence++, run };
    this.#waiting.push(timer);
    this.#waiting.sort((a, b) => a.at - b.at || a.sequence - b.sequence);
    return () => {
      const index = this.#waiting.indexOf(timer);
      if (index >= 0) this.#waiting.splice(index, 1);
    };
  }

  get timersWaiting(): number {
    return this.#waiting.length;
  }

  /** Runs what is due, promises in between included. */
  async advance(millis: number): Promise<void> {
    const end = this.#millis + millis;
    await settle();
    for (let first = this.#waiting[0]; first !== undefined && first.at <= end; first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#millis = Math.max(this.#millis, first.at);
      first.run();
      await settle();
    }
    this.#millis = end;
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

/** Keeps what was appended until the test answers for it. */
export class HandBackbone {
  readonly waiting: {
    readonly message: TelemetryMessage;
    readonly done: (outcome: AppendOutcome) => void;
  }[] = [];
  /** Answers by itself, in the next turn, when set. */
  auto: AppendOutcome | undefined;
  readonly #time: VirtualTime;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  append(message: TelemetryMessage, done: (outcome: AppendOutcome) => void): void {
    const { auto } = this;
    if (auto !== undefined) this.#time.after(0, () => done(auto));
    else this.waiting.push({ message: { ...message, payload: message.payload.slice() }, done });
  }

  /** Answers the `index`th that still waits. */
  answer(index: number, outcome: AppendOutcome = { kind: "durable", messageId: "1" }): void {
    this.waiting.splice(index, 1)[0]?.done(outcome);
  }
}

/** The device `fern` as it calls itself. */
export const fernPath = "projects/mayfly/locations/here/registries/greenhouse/devices/fern";

/** A device key as software, and the record the registry has of it. */
export class DeviceKey {
  readonly #private: KeyObject;
  readonly record: KeyRecord;

  constructor(name: string, extra: Partial<KeyRecord> = {}) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#private = privateKey;
    this.record = {
      keyId: name,
      state: "active",
      format: "ES256_PEM",
      pem: publicKey.export({ format: "pem", type: "spki" }).toString(),
      fingerprint: publicKey.export({ format: "der", type: "spki" }).toString("hex").slice(-64),
      createdMs: 0,
      ...extra,
    };
  }

  inState(state: KeyState, extra: Partial<KeyRecord> = {}): KeyRecord {
    return { ...this.record, state, ...extra };
  }

  token(claims: { iat?: number; exp?: number; aud?: string; sub?: string; u?: number } = {}): string {
    const iat = claims.iat ?? startSeconds;
    const { sub, u } = claims;
    const full = {
      aud: claims.aud ?? "mayfly",
      iat,
      exp: claims.exp ?? iat + 3600,
      ...(sub === undefined ? {} : { sub }),
      ...(u === undefined ? {} : { u }),
    };
    const signingInput = encodeTokenSigningInput({ alg: "ES256", typ: "JWT" }, full);
    return joinToken(
      signingInput,
      sign("sha256", signingInput, { key: this.#private, dsaEncoding: "ieee-p1363" }),
    );
  }
}

/** A client at the other end of a link in memory. */
export class TestClient implements ByteLink {
  readonly packets: ServerPacket[] = [];
  /** Writes of the bridge: each is one TLS record. */
  writes = 0;
  isClosed = false;
  isPaused = false;
  /** What the test says that the network has not taken yet. */
  bufferedBytes = 0;
  readonly version: ProtocolVersion;
  #events: ByteLinkEvents | undefined;
  readonly #decoder: ClientDecoder;

  constructor(version: ProtocolVersion) {
    this.version = version;
    this.#decoder = new ClientDecoder({ protocolVersion: version, maximumPacketSize: 1_000_000 });
  }

  attach(events: ByteLinkEvents): void {
    this.#events = events;
  }

  write(bytes: Uint8Array): void {
    this.writes += 1;
    this.#decoder.push(bytes);
    for (let next = this.#decoder.next(); next !== undefined; next = this.#decoder.next()) {
      this.packets.push(next.type === "publish" ? { ...next, payload: next.payload.slice() } : next);
    }
  }

  close(): void {
    this.isClosed = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  send(...packets: readonly ClientPacket[]): void {
    const parts = packets.map((packet) => encodeClientPacket(packet, this.version));
    this.sendBytes(Buffer.concat(parts));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#events?.received(bytes);
  }

  /** The socket is gone. */
  lose(): void {
    this.#events?.closed("");
  }

  publish(
    packetIdentifier: number,
    extra: { topic?: string; payload?: string; retain?: boolean } = {},
  ): void {
    this.send(publishOf(packetIdentifier, extra));
  }

  /** Offers the next token inside the session. */
  authenticate(token: string, authenticationMethod = "mayfly-jwt"): void {
    this.send({
      type: "auth",
      reasonCode: 0x19,
      properties: { authenticationMethod, authenticationData: Buffer.from(token) },
    });
  }

  subscribe(topicFilter: string, qos: 0 | 1 | 2 = 1): void {
    this.send({
      type: "subscribe",
      packetIdentifier: 1,
      subscriptions: [{ topicFilter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
    });
  }

  of<T extends ServerPacket["type"]>(type: T): Extract<ServerPacket, { type: T }>[] {
    return this.packets.filter((packet) => packet.type === type) as Extract<ServerPacket, { type: T }>[];
  }
}

/** @param packetIdentifier 0 for QoS 0. */
export function publishOf(
  packetIdentifier: number,
  extra: { topic?: string; payload?: string; retain?: boolean } = {},
): PublishPacket {
  return {
    type: "publish",
    dup: false,
    qos: packetIdentifier === 0 ? 0 : 1,
    retain: extra.retain ?? false,
    topic: extra.topic ?? "/devices/fern/events",
    ...(packetIdentifier === 0 ? {} : { packetIdentifier }),
    payload: Buffer.from(extra.payload ?? `message ${packetIdentifier}`),
  };
}

/** What the bridge told, one line each: `connected fern`, `disconnected fern token_expired`, … */
class Diary implements BridgeObserver {
  readonly lines: string[] = [];
  readonly acknowledgedMillis: number[] = [];
  verified(facts: { outcome: string }): void {
    this.lines.push(`verified ${facts.outcome}`);
  }
  attempted(): void {}
  alarm(facts: Parameters<BridgeObserver["alarm"]>[0]): void {
    this.lines.push(`alarm ${facts.kind} ${facts.device.device} ${facts.addresses.join(" ")}`);
  }
  connected(facts: Parameters<BridgeObserver["connected"]>[0]): void {
    const how = `${facts.tookOver ? " tookOver" : ""}${facts.resumed ? " resumed" : ""}`;
    this.lines.push(`connected ${facts.principal.deviceId}${how}`);
  }
  renewed(facts: Parameters<BridgeObserver["renewed"]>[0]): void {
    this.lines.push(`renewed ${facts.principal.deviceId}${facts.keyChanged ? " keyChanged" : ""}`);
  }
  renewalRefused(facts: Parameters<BridgeObserver["renewalRefused"]>[0]): void {
    const authenticity = facts.authenticity === undefined ? "" : ` ${facts.authenticity}`;
    this.lines.push(`renewalRefused ${facts.because}${authenticity}`);
  }
  connectRefused(facts: Parameters<BridgeObserver["connectRefused"]>[0]): void {
    const authenticity = facts.authenticity === undefined ? "" : ` ${facts.authenticity}`;
    this.lines.push(`refused ${facts.because}${authenticity}`);
  }
  disconnected(facts: Parameters<BridgeObserver["disconnected"]>[0]): void {
    this.lines.push(`disconnected ${facts.principal.deviceId} ${facts.because}`);
  }
  attached(facts: Parameters<BridgeObserver["attached"]>[0]): void {
    const how = facts.isRenewal ? " renewed" : "";
    this.lines.push(`attached ${facts.principal.deviceId} ${facts.gateway.deviceId}${how}`);
  }
  attachRefused(facts: Parameters<BridgeObserver["attachRefused"]>[0]): void {
    const code = facts.code === undefined ? "" : ` ${facts.code}`;
    this.lines.push(`attachRefused ${facts.device} ${facts.because}${code}`);
  }
  detached(facts: Parameters<BridgeObserver["detached"]>[0]): void {
    this.lines.push(`detached ${facts.principal.deviceId} ${facts.because}`);
  }
  gatewayError(facts: Parameters<BridgeObserver["gatewayError"]>[0]): void {
    this.lines.push(`gatewayError ${facts.type}${facts.isTold ? "" : " dropped"}`);
  }
  published(facts: Parameters<BridgeObserver["published"]>[0]): void {
    this.lines.push(`published ${facts.kind} qos${facts.qos}`);
  }
  acknowledged(facts: Parameters<BridgeObserver["acknowledged"]>[0]): void {
    this.acknowledgedMillis.push(facts.millis);
  }
  notStored(facts: Parameters<BridgeObserver["notStored"]>[0]): void {
    this.lines.push(`notStored qos${facts.qos} ${facts.because}`);
  }
  sent(facts: Parameters<BridgeObserver["sent"]>[0]): void {
    this.lines.push(`sent ${facts.kind} qos${facts.qos}`);
  }
}

export interface WorldOptions extends BridgeOptions {
  readonly policy?: Partial<RegistryPolicy>;
  /** Wraps the store, so that a test can make its answers late. */
  readonly wrap?: (store: RegistryStore) => RegistryStore;
  /** Makes the clock that the bridge is handed, from the machine's; absent: the machine's itself. */
  readonly clock?: (time: VirtualTime) => Clock & TestimonyListener;
}

/** A registry `greenhouse` with a device `fern` that has one key. */
export class World {
  readonly time = new VirtualTime();
  readonly backbone = new HandBackbone(this.time);
  readonly diary = new Diary();
  readonly key = new DeviceKey("first");
  readonly store: RegistryStore;
  readonly bridge: Bridge;

  private constructor(options: WorldOptions) {
    let seed = 1;
    const random = {
      fill(bytes: Uint8Array): Uint8Array {
        for (let i = 0; i < bytes.length; i++) {
          // xorshift32 (Marsaglia 2003).
          seed ^= seed << 13;
          seed ^= seed >>> 17;
          seed ^= seed << 5;
          bytes[i] = seed >>> 8;
        }
        return bytes;
      },
    };
    const selfClock = options.clock?.(this.time);
    const clock = selfClock ?? this.time;
    this.store = createMemoryRegistryStore({ clock, random });
    this.bridge = createBridge(
      {
        clock,
        timers: this.time,
        random,
        registry: options.wrap?.(this.store) ?? this.store,
        backbone: this.backbone,
        verifier: createNodeKeyVerifier(),
        observer: this.diary,
        ...(selfClock === undefined ? {} : { testimony: selfClock }),
      },
      options,
    );
  }

  static async create(options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    await world.store.createRegistry({
      ...registryRef,
      policy: { ...policyPresets.strict, ...options.policy },
      retention: eventRetentionDefault,
      mqttEnabled: true,
      httpEnabled: true,
      logLevel: "NONE",
      eventNotificationConfigs: [],
      stateNotificationTopic: "",
      credentials: [],
    });
    await world.createDevice("fern", [world.key.record]);
    return world;
  }

  async createDevice(deviceId: string, keys: readonly KeyRecord[]): Promise<void> {
    await this.store.createDevice({
      ...registryRef,
      deviceId,
      blocked: false,
      logLevel: "NONE",
      metadata: {},
      gatewayType: "NON_GATEWAY",
      gatewayAuthMethod: "GATEWAY_AUTH_METHOD_UNSPECIFIED",
      keys,
    });
  }

  device(deviceId = "fern"): DeviceRef {
    return { ...registryRef, device: deviceId };
  }

  /** Where the next links come from. */
  remoteAddress = "192.0.2.1";

  /** A link is opened; nothing was sent. */
  open(version: ProtocolVersion = 4): TestClient {
    const client = new TestClient(version);
    client.attach(this.bridge.open(client, { remoteAddress: this.remoteAddress }));
    return client;
  }

  /** A CONNECT was sent, and answered where the answer needs no time. */
  connect(version: ProtocolVersion = 4, extra: Partial<ConnectPacket> & { token?: string } = {}): TestClient {
    const { token, ...fields } = extra;
    const client = this.open(version);
    client.send({
      type: "connect",
      protocolVersion: version,
      cleanStart: true,
      keepAlive: 0,
      clientIdentifier: fernPath,
      userName: "unused",
      password: Buffer.from(token ?? this.key.token()),
      ...fields,
    });
    return client;
  }

  /** As `connect`, by the method `mayfly-jwt`: the token is the Authentication Data, and names the device. */
  connectByMethod(extra: Partial<ConnectPacket> & { token?: string } = {}): TestClient {
    const { token, properties, ...fields } = extra;
    const client = this.open(5);
    client.send({
      type: "connect",
      protocolVersion: 5,
      cleanStart: true,
      keepAlive: 0,
      clientIdentifier: fernPath,
      userName: "mayfly/1",
      properties: {
        authenticationMethod: "mayfly-jwt",
        authenticationData: Buffer.from(token ?? this.key.token({ sub: fernPath })),
        ...properties,
      },
      ...fields,
    });
    return client;
  }
}
