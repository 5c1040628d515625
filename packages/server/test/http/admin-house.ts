/**
 * An admin API over memory adapters, called by injection: what the tests of `src/http` stand on.
 */
import { createHash, generateKeyPairSync } from "node:crypto";
import type { AddressInfo } from "node:net";
import type { Clock, Random, Sha256, Timers } from "@mayfly/core";
import type { FastifyInstance } from "fastify";
import { createMemoryBackbone } from "../../src/backbone/memory/index.ts";
import { createNodeKeyParser } from "../../src/host/node-key-parser.ts";
import { type AdminApiPorts, createAdminApi } from "../../src/http/admin-api.ts";
import type { HealthCheck } from "../../src/http/health.ts";
import type { CommandOutcome, SessionView } from "../../src/mqtt/bridge.ts";
import type { DeviceRef } from "../../src/registry/model.ts";
import { createPlaces } from "../../src/registry/places.ts";
import { createRegistryService } from "../../src/registry/service.ts";
import { createMemoryRegistryStore } from "../../src/store/memory/index.ts";
import type { Backbone, TelemetryMessage } from "../../src/telemetry/backbone.ts";
import { DeviceRates } from "../../src/telemetry/device-rates.ts";

export const startSeconds = 1_700_000_000;
export const adminToken = "mayfly_test-token";
export const lab = "/v1/projects/mayfly/locations/lab/registries";

export const nodeSha256: Sha256 = { digest: (bytes) => createHash("sha256").update(bytes).digest() };

/** Counts up: different every time, the same in every run. */
export function countingRandom(): Random {
  let next = 1;
  return {
    fill(bytes) {
      const digest = createHash("sha512").update(String(next++)).digest();
      for (let i = 0; i < bytes.length; i++) bytes[i] = digest[i % digest.length] ?? 0;
      return bytes;
    },
  };
}

/** Real timers; the long ones (sweeps, heartbeats) do not keep a finished test alive. */
export const timers: Timers = {
  after(delayMillis, run) {
    const timer = setTimeout(run, delayMillis);
    if (delayMillis > 5_000) timer.unref();
    return () => clearTimeout(timer);
  },
};

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads the JSON it expects; a wrong guess fails the test
  readonly body: any;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

export class FakeBridge {
  outcome: CommandOutcome = "delivered";
  session: SessionView | undefined;
  readonly commands: { device: DeviceRef; payload: Uint8Array; subfolder: string }[] = [];

  sendCommand(
    device: DeviceRef,
    command: { readonly payload: Uint8Array; readonly subfolder: string },
    answer: (outcome: CommandOutcome) => void,
  ): void {
    this.commands.push({ device, ...command });
    answer(this.outcome);
  }

  findSession(): SessionView | undefined {
    return this.session;
  }
}

export interface AdminHouse {
  readonly app: FastifyInstance;
  readonly clock: Clock & { wall: number };
  readonly store: ReturnType<typeof createMemoryRegistryStore>;
  readonly backbone: Backbone;
  readonly bridge: FakeBridge;
  readonly health: { checks: HealthCheck[]; serving: boolean };
  readonly internalErrors: unknown[];
  readonly ports: AdminApiPorts;
  call(method: string, url: string, body?: unknown, options?: CallOptions): Promise<Answer>;
}

export interface CallOptions {
  /** null: no Authorization header. */
  readonly token?: string | null;
  readonly remoteAddress?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function openAdminHouse(change: Partial<AdminApiPorts> = {}): Promise<AdminHouse> {
  const clock = {
    wall: startSeconds,
    wallSeconds: () => clock.wall,
    monotonicMillis: () => clock.wall * 1000,
  };
  const store = createMemoryRegistryStore({ clock, random: countingRandom() });
  const backbone = createMemoryBackbone({ clock, timers });
  const bridge = new FakeBridge();
  const health: AdminHouse["health"] = { checks: [{ name: "registry", healthy: true }], serving: true };
  const internalErrors: unknown[] = [];
  const keyParser = createNodeKeyParser();
  const places = createPlaces({ projects: ["mayfly", "other"], locations: ["lab", "us-central1"] });
  const ports: AdminApiPorts = {
    service: createRegistryService({ store, places, keyParser, clock, random: countingRandom() }),
    keyParser,
    store,
    backbone,
    bridge,
    rates: new DeviceRates(clock),
    clock,
    timers,
    sha256: nodeSha256,
    health: { checks: () => health.checks, isServing: () => health.serving },
    metrics: { contentType: "text/plain; version=0.0.4", text: async () => "mayfly_up 1\n" },
    onInternalError: (error) => internalErrors.push(error),
    ...change,
  };
  await store.addAdminToken({
    hash: createHash("sha256").update(adminToken).digest("hex"),
    name: "test",
    loopbackOnly: true,
    createdMs: startSeconds * 1000,
    expiresMs: (startSeconds + 86_400) * 1000,
  });
  const app = createAdminApi(ports);

  async function call(
    method: string,
    url: string,
    body?: unknown,
    options: CallOptions = {},
  ): Promise<Answer> {
    const token = options.token === undefined ? adminToken : options.token;
    const response = await app.inject({
      method: method as "GET",
      url,
      remoteAddress: options.remoteAddress ?? "127.0.0.1",
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...options.headers },
      ...(body === undefined ? {} : { payload: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const isJson = String(response.headers["content-type"]).startsWith("application/json");
    return {
      status: response.statusCode,
      body: isJson ? JSON.parse(response.body) : undefined,
      text: response.body,
      headers: response.headers,
    };
  }

  return { app, clock, store, backbone, bridge, health, internalErrors, ports, call };
}

/** The port of a listening app. */
export function portOf(app: FastifyInstance): number {
  return (app.server.address() as AddressInfo).port;
}

/** A fresh P-256 public key, PEM. */
export function makePublicKey(): string {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey.export({
    type: "spki",
    format: "pem",
  }) as string;
}

export function credential(pem: string, expirationTime?: string) {
  return {
    publicKey: { format: "ES256_PEM", key: pem },
    ...(expirationTime === undefined ? {} : { expirationTime }),
  };
}

/** Publishes as the bridge would; resolves when durable. */
export async function publish(
  house: AdminHouse,
  message: {
    readonly deviceId: string;
    readonly text: string;
    readonly subfolder?: string;
    readonly routed?: Pick<TelemetryMessage, "topic" | "kind">;
  },
): Promise<string> {
  const ref = { project: "mayfly", location: "lab", registry: "plant" };
  const numId = (await house.store.findRegistry(ref))?.numId ?? "";
  const outcome = await new Promise<Parameters<Parameters<Backbone["append"]>[1]>[0]>((done) => {
    house.backbone.append(
      {
        registry: { ...ref, numId },
        deviceId: message.deviceId,
        deviceNumId: "2928540609735937",
        subfolder: message.subfolder ?? "",
        payload: new TextEncoder().encode(message.text),
        publishMs: house.clock.wall * 1000,
        ...message.routed,
      },
      done,
    );
  });
  if (outcome.kind === "refused") throw new Error(outcome.because);
  return outcome.messageId;
}
