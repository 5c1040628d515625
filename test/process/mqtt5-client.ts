/**
 * The MQTT 5 client of `clients/mqtt5_auth.py`, driven from a test: orders in, packets out, a line each.
 *
 * Left to others: the bytes of MQTT, TLS and signatures. None of our code is between the test and the wire.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { on } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { requireService } from "../../tools/services.ts";
import { type BridgeProcess, clientIdentifier, project } from "./bridge-process.ts";

const script = join(import.meta.dirname, "clients", "mqtt5_auth.py");

export const method = "mayfly-jwt";
/** MQTT 5.0 §3.15.2.1. */
export const reauthenticate = 0x19;

/** A packet of the bridge's; names as in the standard. `at` is seconds since 1970, when it arrived. */
export interface Told {
  readonly packet: "CONNACK" | "PUBACK" | "AUTH" | "DISCONNECT" | "closed";
  readonly at: number;
  readonly reasonCode?: number;
  readonly identifier?: number;
  readonly properties?: {
    readonly "Authentication Method"?: string;
    readonly "Reason String"?: string;
    readonly "User Property"?: readonly (readonly [name: string, value: string])[];
  };
}

export class Mqtt5Client {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string[]>;
  readonly #device: string;
  #errors = "";
  #identifier = 0;

  /** Connects by TLS, and sends nothing yet. Ends with the test. */
  constructor(t: TestContext, bridge: BridgeProcess, device: string, keyLogFile?: string) {
    requireService(t, "python3");
    requireService(t, "openssl");
    const where = ["localhost", String(bridge.port), bridge.endpoints.ca];
    const child = spawn("python3", [script, ...where, ...(keyLogFile === undefined ? [] : [keyLogFile])]);
    t.after(() => child.kill());
    child.stderr.on("data", (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-4_000);
    });
    // Orders after its end are not an error of the test: the end itself is what it is told.
    child.stdin.on("error", () => {});
    this.#child = child;
    this.#device = device;
    const lines = createInterface({ input: child.stdout });
    this.#lines = on(lines, "line", { close: ["close"] })[Symbol.asyncIterator]() as AsyncIterator<string[]>;
  }

  /** A token signed by openssl; `iat` and `exp` are seconds from now. */
  async mint(
    keyFile: string,
    times: { readonly iat?: number; readonly exp: number },
  ): Promise<{ readonly token: string; readonly exp: number }> {
    const now = Math.floor(Date.now() / 1000);
    const exp = now + times.exp;
    const claims = { aud: project, sub: clientIdentifier(this.#device), iat: now + (times.iat ?? 0), exp };
    this.#order({ do: "mint", keyFile, claims });
    const { token } = (await this.#line()) as { token: string };
    return { token, exp };
  }

  connect(credentials: {
    readonly method?: string;
    readonly data?: string;
    readonly password?: string;
  }): Promise<Told> {
    this.#order({ do: "connect", clientIdentifier: clientIdentifier(this.#device), ...credentials });
    return this.next();
  }

  /** AUTH: Re-authenticate by the bridge's own method, unless told otherwise. @returns what came next. */
  auth(order: {
    /** null: none. */
    readonly method?: string | null;
    readonly data?: string;
    readonly reasonCode?: number;
  }): Promise<Told> {
    this.#order({ do: "auth", method, reasonCode: reauthenticate, ...order });
    return this.next();
  }

  /** A PUBLISH with QoS 1. @returns what came next: its PUBACK, where all is well. */
  publish(payload: string): Promise<Told> {
    this.#identifier += 1;
    const topic = `/devices/${this.#device}/events`;
    this.#order({ do: "publish", topic, payload, identifier: this.#identifier });
    return this.next();
  }

  /** Octets that need not be MQTT. @returns what came next. */
  raw(octets: Uint8Array): Promise<Told> {
    this.#order({ do: "raw", octets: Buffer.from(octets).toString("hex") });
    return this.next();
  }

  /** The next packet of the bridge's, or the end of the connection. */
  async next(): Promise<Told> {
    return (await this.#line()) as Told;
  }

  #order(order: Readonly<Record<string, unknown>>): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  async #line(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`the client ended: ${this.#errors}`);
    return JSON.parse(value[0] ?? "");
  }
}

/** A User Property of that name, of a packet that must have it exactly once. */
export function userProperty(told: Told, name: string): string {
  const found = told.properties?.["User Property"]?.filter(([key]) => key === name) ?? [];
  const [[, value] = ["", ""]] = found;
  if (found.length !== 1) throw new Error(`${told.packet} has ${name} ${found.length} times`);
  return value;
}
