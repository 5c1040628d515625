/**
 * A gateway `shed` in the bridge's world, with the devices `fern` (bound, with a key) and what a test adds.
 */
import type { ConnectPacket, ProtocolVersion } from "@mayfly/core/mqtt";
import type { GatewayAuthMethod } from "../src/registry/model.ts";
import type { RegistryStore } from "../src/registry/store.ts";
import {
  DeviceKey,
  publishOf,
  registryRef,
  type TestClient,
  World,
  type WorldOptions,
} from "./bridge-world.ts";

export const shedPath = "projects/mayfly/locations/here/registries/greenhouse/devices/shed";
export const errorsOfShed = "/devices/shed/errors";

export class GatewayWorld {
  readonly world: World;
  readonly gatewayKey: DeviceKey;

  private constructor(world: World, gatewayKey: DeviceKey) {
    this.world = world;
    this.gatewayKey = gatewayKey;
  }

  /** @param options.policy is iot-core's in what concerns gateways, unless said otherwise. */
  static async create(
    options: WorldOptions & { readonly method?: GatewayAuthMethod } = {},
  ): Promise<GatewayWorld> {
    const { method = "ASSOCIATION_AND_DEVICE_AUTH_TOKEN", policy, ...rest } = options;
    const world = await World.create({ ...rest, policy: { gatewayAssociationOnly: "allow", ...policy } });
    const gatewayKey = new DeviceKey("of the gateway");
    const whole = new GatewayWorld(world, gatewayKey);
    await whole.createGateway("shed", gatewayKey, method);
    await world.store.bindDevice(registryRef, "shed", "fern");
    return whole;
  }

  async createGateway(deviceId: string, key: DeviceKey, gatewayAuthMethod: GatewayAuthMethod): Promise<void> {
    await this.world.store.createDevice({
      ...registryRef,
      deviceId,
      ...{ blocked: false, logLevel: "NONE", metadata: {}, gatewayType: "GATEWAY", gatewayAuthMethod },
      keys: [key.record],
    });
  }

  connect(version: ProtocolVersion = 4, extra: Partial<ConnectPacket> & { token?: string } = {}): TestClient {
    return this.world.connect(version, {
      clientIdentifier: shedPath,
      token: this.gatewayKey.token(),
      ...extra,
    });
  }

  /** A gateway that hears its errors. */
  listening(version: ProtocolVersion = 4, extra: Parameters<GatewayWorld["connect"]>[1] = {}): TestClient {
    const client = this.connect(version, extra);
    client.subscribe(errorsOfShed, 0);
    return client;
  }

  /** Sends an attach with the token of `fern`, or what is given. */
  attach(
    client: TestClient,
    packetIdentifier: number,
    { device = "fern", authorization = this.world.key.token() } = {},
  ): void {
    client.send(
      publishOf(packetIdentifier, {
        topic: `/devices/${device}/attach`,
        payload: authorization === "" ? "" : JSON.stringify({ authorization }),
      }),
    );
  }
}

type LookUp = RegistryStore["lookUpAttachment"];

/** A store whose look-up for attaches is another. */
export function withLookUp(make: (lookUp: LookUp) => LookUp): (store: RegistryStore) => RegistryStore {
  return (store) => {
    const lookUp = make(store.lookUpAttachment.bind(store));
    return new Proxy(store, {
      get(target, name) {
        if (name === "lookUpAttachment") return lookUp;
        const member: unknown = Reflect.get(target, name);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  };
}

export const pubacks = (client: TestClient): readonly number[] =>
  client.of("puback").map(({ packetIdentifier }) => packetIdentifier);

/** PUBACKs with their Reason Codes. */
export const answers = (client: TestClient): readonly (readonly [number, number])[] =>
  client.of("puback").map(({ packetIdentifier, reasonCode }) => [packetIdentifier, reasonCode] as const);

/** What arrived on the errors topic, oldest first. */
export function errorsOf(client: TestClient): readonly Readonly<Record<string, unknown>>[] {
  return client
    .of("publish")
    .filter(({ topic }) => topic === errorsOfShed)
    .map(({ payload }) => JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>);
}

export const errorTypesOf = (client: TestClient): readonly unknown[] =>
  errorsOf(client).map((error) => error["error_type"]);
