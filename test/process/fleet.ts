/**
 * Many devices at once, each with its own key: registered through the admin API over a few kept connections, and
 * their tokens.
 *
 * A command per device would take longer than what is to be tested; the admin API is what the commands speak too.
 */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { type AdminClient, type AdminFetch, createAdminClient, type DevicePath } from "@mayfly/core/admin";
import { type BridgeProcess, clientIdentifier, location, project, registry } from "./bridge-process.ts";

/** Requests under way to the admin API. */
const requestsAtOnce = 8;

export interface FleetDevice {
  readonly id: string;
  readonly path: DevicePath;
  readonly clientIdentifier: string;
  readonly privateKey: KeyObject;
}

export class Fleet {
  readonly admin: AdminClient;
  readonly #agent: Agent;
  readonly #metricsUrl: string;

  constructor(bridge: BridgeProcess) {
    const { admin, adminToken, ca } = bridge.endpoints;
    this.#agent = new Agent({ ca: readFileSync(ca), keepAlive: true, maxSockets: requestsAtOnce });
    this.#metricsUrl = `${admin}/metrics`;
    this.admin = createAdminClient({
      baseUrl: admin,
      token: readFileSync(adminToken, "utf8").trim(),
      fetch: (url, init) => this.#fetch(url, init),
    });
  }

  /** @returns that many devices of the bridge's registry, `device-0` and on. */
  async register(count: number): Promise<readonly FleetDevice[]> {
    return manyAtOnce(
      Array.from({ length: count }, (_, index) => `device-${index}`),
      requestsAtOnce,
      async (id) => {
        const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
        const key = publicKey.export({ type: "spki", format: "pem" }).toString();
        await this.admin.createDevice(
          { project, location, registry },
          { id, credentials: [{ publicKey: { format: "ES256_PEM", key } }] },
        );
        const path = { project, location, registry, device: id };
        return { id, path, clientIdentifier: clientIdentifier(id), privateKey };
      },
    );
  }

  /** @returns the bridge's gauges that belong to it and not to its process, by name. */
  async gauges(): Promise<ReadonlyMap<string, number>> {
    const response = await this.#fetch(this.#metricsUrl, { method: "GET", headers: {} });
    const text = await response.text();
    const names = [...text.matchAll(/^# TYPE (mayfly_\w+) gauge$/gm)].map(([, name = ""]) => name);
    return new Map(
      names.map((name) => [name, Number(new RegExp(`^${name}(?:{.*})? (\\S+)$`, "m").exec(text)?.[1])]),
    );
  }

  close(): void {
    this.#agent.destroy();
  }

  #fetch(...[url, init]: Parameters<AdminFetch>): ReturnType<AdminFetch> {
    return new Promise((resolve, reject) => {
      const { method, headers } = init;
      const outgoing = request(url, { agent: this.#agent, method, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            text: async () => Buffer.concat(chunks).toString(),
            body: null,
          }),
        );
      });
      outgoing.on("error", reject);
      outgoing.end(init.body);
    });
  }
}

/** A device's token (RFC 7519, ES256), with times in seconds since 1970. */
export function signToken(
  device: FleetDevice,
  times: { readonly iat: number; readonly exp: number },
): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { aud: project, sub: device.clientIdentifier, ...times };
  const signingInput = `${part({ alg: "ES256", typ: "JWT" })}.${part(claims)}`;
  const key = { key: device.privateKey, dsaEncoding: "ieee-p1363" } as const;
  return `${signingInput}.${sign("sha256", Buffer.from(signingInput), key).toString("base64url")}`;
}

/** Does the same with each, a few at a time. @returns what came of each, in their order. */
export async function manyAtOnce<Item, Outcome>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item, index: number) => Promise<Outcome>,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) outcomes[index] = await work(item, index);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return outcomes;
}
