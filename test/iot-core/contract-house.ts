/**
 * A house for the tests of Cloud IoT Core's contract: a bridge in its own process, a registry made as IoT Core's users
 * made one (so its policy is the preset iot-core), devices whose keys and tokens openssl made, and curl for everything
 * that goes over HTTPS.
 *
 * Left to others: MQTT (`raw-device.ts`, and the clients we did not write).
 */
import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BridgeProcess, clientIdentifier, location, project, registry } from "../process/bridge-process.ts";

/** `ec` and `rsa` are the devices' keys; `stranger` belongs to none. */
export type KeyName = "ec" | "ec2" | "rsa" | "stranger";

export interface TokenOrder {
  readonly key?: KeyName;
  /** In place of `{"alg": …, "typ": "JWT"}`. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Beside, or in place of, `aud`, `iat` and `exp`; undefined leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly form?: "base64url" | "padded" | "standard";
  /** The ES256 signature as openssl prints it, instead of R and S in 64 bytes. */
  readonly derSignature?: true;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

const parent = `v1/projects/${project}/locations/${location}/registries`;
export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

export class ContractHouse {
  readonly bridge = new BridgeProcess();
  readonly #made = new Map<KeyName, { readonly format: string; readonly pem: string }>();

  /** @param flags More flags of `mayfly serve`. */
  static async start(...flags: readonly string[]): Promise<ContractHouse> {
    const house = new ContractHouse();
    await house.bridge.start([], flags);
    for (const name of ["ec", "ec2", "stranger", "rsa"] as const) house.#makeKey(name);
    const topic = { pubsubTopicName: `projects/${project}/topics/telemetry` };
    await house.must("POST", parent, { id: registry, eventNotificationConfigs: [topic] });
    return house;
  }

  end(): Promise<void> {
    return this.bridge.end();
  }

  /** A device as the v1 API makes one. @returns its numId. */
  async device(
    id: string,
    keys: readonly KeyName[] = ["ec"],
    extra: Readonly<Record<string, unknown>> = {},
  ): Promise<string> {
    const credentials = keys.map((name) => this.credential(name));
    const made = await this.must("POST", `${parent}/${registry}/devices`, { id, credentials, ...extra });
    return String(made["numId"]);
  }

  credential(name: KeyName, expirationTime?: string): Readonly<Record<string, unknown>> {
    const { format, pem } = this.#key(name);
    return {
      publicKey: { format, key: pem },
      ...(expirationTime === undefined ? {} : { expirationTime }),
    };
  }

  /** A credential that is a self-signed certificate of the key, of a day, or ended. */
  certificate(name: "ec" | "ec2", when: "valid" | "ended" = "valid"): Readonly<Record<string, unknown>> {
    const file = this.#keyFile(name);
    const request = execFileSync("openssl", ["req", "-new", "-key", file, "-subj", "/CN=device"]);
    // A life of minus one day ended yesterday.
    const life = ["-days", when === "valid" ? "1" : "-1"];
    const key = execFileSync("openssl", ["x509", "-req", "-signkey", file, ...life], {
      input: request,
      stdio: ["pipe", "pipe", "ignore"],
    }).toString();
    return { publicKey: { format: "ES256_X509_PEM", key } };
  }

  /** What the device's resource says. */
  show(id: string): Promise<Readonly<Record<string, unknown>>> {
    return this.must("GET", devicePath(id));
  }

  /** The device's `lastErrorStatus`, which is written a moment after what it tells; waits for one with that code, 3 s at most. */
  async errorStatus(id: string, code: number): Promise<string> {
    const until = performance.now() + 3_000;
    for (;;) {
      const status = (await this.show(id))["lastErrorStatus"] as
        | { readonly code: number; readonly message: string }
        | undefined;
      if (status?.code === code || performance.now() > until) {
        return `${status?.code ?? "none"} ${status?.message ?? ""}`;
      }
    }
  }

  config(id: string, text: string): Promise<Readonly<Record<string, unknown>>> {
    const binaryData = Buffer.from(text).toString("base64");
    return this.must("POST", `${devicePath(id)}:modifyCloudToDeviceConfig`, { binaryData });
  }

  command(id: string, text: string, subfolder?: string): Promise<HttpAnswer> {
    const binaryData = Buffer.from(text).toString("base64");
    const body = { binaryData, ...(subfolder === undefined ? {} : { subfolder }) };
    return this.admin("POST", `${devicePath(id)}:sendCommandToDevice`, body);
  }

  /** A call of the admin API, by curl. */
  admin(method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    const { admin, adminToken } = this.bridge.endpoints;
    return this.curl(method, `${admin}/${path}`, readFileSync(adminToken, "utf8").trim(), body);
  }

  async must(method: string, path: string, body?: unknown): Promise<Readonly<Record<string, unknown>>> {
    const { status, text } = await this.admin(method, path, body);
    if (status !== 200) throw new Error(`${method} ${path} was answered ${status}: ${text}`);
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  }

  /** A call of the device HTTP bridge: `publishEvent` of a few bytes. */
  publishEvent(id: string, token: string): Promise<HttpAnswer> {
    const url = `${this.bridge.endpoints.deviceHttps}/${devicePath(id)}:publishEvent`;
    return this.curl("POST", url, token, { binary_data: "aGVsbG8=" });
  }

  curl(method: string, url: string, token: string, body?: unknown): Promise<HttpAnswer> {
    const args = [
      ...["--silent", "--show-error", "--max-time", "10", "--cacert", this.bridge.endpoints.ca],
      ...["--request", method, "--write-out", "\n%{http_code}", "--config", "-", url],
      ...(body === undefined
        ? []
        : ["--header", "content-type: application/json", "--data", JSON.stringify(body)]),
    ];
    return new Promise((resolve, reject) => {
      const child = execFile("curl", args, (error, stdout) => {
        if (error !== null) return reject(error);
        const end = stdout.lastIndexOf("\n");
        resolve({ status: Number(stdout.slice(end + 1)), text: stdout.slice(0, end) });
      });
      // Not on the command line, where every user of the machine could read it.
      child.stdin?.end(`header = "authorization: Bearer ${token}"\n`);
    });
  }

  /** A token as firmware makes one, an hour long unless told otherwise; openssl signs it. */
  token(order: TokenOrder = {}): string {
    const { key = "ec", form = "base64url" } = order;
    const alg = key === "rsa" ? "RS256" : "ES256";
    const now = nowSeconds();
    const claims = { aud: project, iat: now, exp: now + 3600, ...order.claims };
    const encode = (bytes: Buffer) => {
      if (form === "base64url") return bytes.toString("base64url");
      const standard = bytes.toString("base64");
      return form === "standard" ? standard : standard.replaceAll("+", "-").replaceAll("/", "_");
    };
    const part = (value: unknown) => encode(Buffer.from(JSON.stringify(value)));
    const signingInput = `${part(order.header ?? { alg, typ: "JWT" })}.${part(claims)}`;
    const signed = execFileSync("openssl", ["dgst", "-sha256", "-sign", this.#keyFile(key)], {
      input: signingInput,
    });
    const signature = key === "rsa" || order.derSignature === true ? signed : rawSignature(signed);
    return `${signingInput}.${encode(signature)}`;
  }

  #makeKey(name: KeyName): void {
    const file = this.#keyFile(name);
    const make =
      name === "rsa"
        ? ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", file]
        : ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file];
    execFileSync("openssl", make, { stdio: "pipe" });
    const pem = execFileSync("openssl", ["pkey", "-in", file, "-pubout"]).toString();
    this.#made.set(name, { format: name === "rsa" ? "RSA_PEM" : "ES256_PEM", pem });
  }

  #key(name: KeyName): { readonly format: string; readonly pem: string } {
    const key = this.#made.get(name);
    if (key === undefined) throw new Error(`the house has no key ${name}`);
    return key;
  }

  #keyFile(name: KeyName): string {
    return join(this.bridge.folder, `${name}.key.pem`);
  }
}

/** The device's path on both HTTPS listeners; `+` and `%` as a client must write them there. */
export function devicePath(id: string): string {
  return `v1/${clientIdentifier(encodeURIComponent(id))}`;
}

/** openssl's ECDSA signature, SEQUENCE { INTEGER r, INTEGER s }, as RFC 7518 §3.4 wants it: R and S at 32 bytes each. */
function rawSignature(der: Buffer): Buffer {
  const integerAt = (at: number) => der.subarray(at + 2, at + 2 + (der[at + 1] ?? 0));
  const r = integerAt(2);
  const s = integerAt(4 + r.length);
  const padded = (integer: Buffer) => Buffer.concat([Buffer.alloc(32), integer]).subarray(-32);
  return Buffer.concat([padded(r), padded(s)]);
}
