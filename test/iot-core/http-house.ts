/**
 * The device HTTP bridge from the bytes up: a bridge process with devices, and TLS sockets on which a test writes
 * what it likes and reads whole answers.
 *
 * Left to others: what is written (`hostile-requests.ts`) and what it means.
 */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { BridgeProcess, location, project, registry } from "../process/bridge-process.ts";

/** Longest wait for anything a test waits for. */
const WAIT_MILLIS_MAX = 90_000;

export interface RawAnswer {
  readonly status: number;
  /** Status line and header lines. */
  readonly head: string;
  readonly body: string;
}

export interface CurlAnswer {
  readonly status: number;
  /** Of the body, as curl counted them. */
  readonly bytes: number;
  readonly body: string;
  readonly stderr: string;
}

export class HttpHouse {
  readonly bridge = new BridgeProcess();
  readonly #tokens = new Map<string, string>();

  /** @param devices Their ids. @param flags Of `mayfly registry create`: strict unless told otherwise. */
  async open(devices: readonly string[], ...flags: readonly string[]): Promise<void> {
    await this.bridge.start();
    await this.bridge.createRegistry(...flags);
    for (const id of devices) {
      const keyFile = await this.bridge.createDevice(id);
      this.#tokens.set(id, await this.bridge.mintToken(id, keyFile));
    }
  }

  get port(): number {
    return Number(new URL(this.bridge.endpoints.deviceHttps).port);
  }

  token(device: string): string {
    return this.#tokens.get(device) ?? "";
  }

  path(device: string): string {
    return `/v1/projects/${project}/locations/${location}/registries/${registry}/devices/${device}`;
  }

  publishRequest(device: string, text: string): string {
    const body = JSON.stringify({ binaryData: Buffer.from(text).toString("base64") });
    return (
      `POST ${this.path(device)}:publishEvent HTTP/1.1\r\nHost: localhost\r\n` +
      `Authorization: Bearer ${this.token(device)}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    );
  }

  /** curl against the device bridge. The token is in a file: a command line is everybody's to read. */
  curl(device: string, suffix: string, ...flags: readonly string[]): Promise<CurlAnswer> {
    const config = join(this.bridge.folder, "curl.conf");
    writeFileSync(config, `header = "authorization: Bearer ${this.token(device)}"\n`);
    return this.curlUrl(
      `${this.bridge.endpoints.deviceHttps}${this.path(device)}${suffix}`,
      "-K",
      config,
      ...flags,
    );
  }

  /** curl with whatever flags, without a token. */
  curlUrl(url: string, ...flags: readonly string[]): Promise<CurlAnswer> {
    const { ca } = this.bridge.endpoints;
    const fixed = ["-s", "-S", "--max-time", "20", "--cacert", ca, "-w", "\n%{http_code} %{size_download}"];
    return new Promise((resolve, reject) => {
      execFile("curl", [...fixed, ...flags, url], (error, stdout, stderr) => {
        const end = stdout.lastIndexOf("\n");
        const [status = "", bytes = ""] = stdout.slice(end + 1).split(" ");
        if (error === null)
          resolve({ status: Number(status), bytes: Number(bytes), body: stdout.slice(0, end), stderr });
        else reject(error);
      });
    });
  }

  /** A call of the admin API. @returns the parsed answer, which must be 200. */
  async admin(method: string, path: string, body?: unknown): Promise<Readonly<Record<string, unknown>>> {
    const { admin, adminToken } = this.bridge.endpoints;
    const config = join(this.bridge.folder, "curl-admin.conf");
    writeFileSync(config, `header = "authorization: Bearer ${readFileSync(adminToken, "utf8").trim()}"\n`);
    const data = body === undefined ? [] : ["-d", JSON.stringify(body)];
    const answer = await this.curlUrl(`${admin}${path}`, "-K", config, "-X", method, ...data);
    if (answer.status !== 200)
      throw new Error(`${method} ${path} was answered ${answer.status}: ${answer.body}`);
    return JSON.parse(answer.body) as Readonly<Record<string, unknown>>;
  }

  async setConfig(device: string, text: string): Promise<void> {
    const place = ["--location", location, "--registry", registry, "--device", device];
    await this.bridge.must("config", "set", ...place, "--text", text);
  }

  async dial(): Promise<RawLine> {
    const socket = connect({
      port: this.port,
      host: "localhost",
      ca: readFileSync(this.bridge.endpoints.ca),
      ALPNProtocols: ["http/1.1"],
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
    });
    return new RawLine(socket);
  }
}

/** One connection: bytes out, whole answers in. */
export class RawLine {
  readonly socket: TLSSocket;
  readonly answers: RawAnswer[] = [];
  isClosed = false;
  #isHead = false;
  #rest = "";
  #wake: () => void = () => undefined;

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.#rest += bytes.toString("latin1");
      this.#readAnswers();
      this.#wake();
    });
    // A reset is one way to close; which of the two it was is told by nobody who waits for the close.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  write(bytes: string): void {
    this.#isHead = bytes.startsWith("HEAD ");
    this.socket.write(Buffer.from(bytes, "latin1"));
  }

  /** Waits for so many answers in all, or for the close. */
  async until(answers: number): Promise<void> {
    await this.#wait(() => this.answers.length >= answers || this.isClosed);
  }

  async closed(): Promise<void> {
    await this.#wait(() => this.isClosed);
  }

  end(): void {
    this.socket.destroy();
  }

  async #wait(isThere: () => boolean): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, WAIT_MILLIS_MAX);
    while (!isThere() && !late) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(timer);
    if (late) throw new Error(`nothing came within ${WAIT_MILLIS_MAX} ms; answers: ${this.answers.length}`);
  }

  #readAnswers(): void {
    for (;;) {
      const headEnd = this.#rest.indexOf("\r\n\r\n");
      if (headEnd < 0) return;
      const head = this.#rest.slice(0, headEnd);
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? Number.NaN);
      // An answer to a HEAD has the length of its body, and no body (RFC 9110 §9.3.2).
      const isBodiless = status === 100 || (this.#isHead && this.answers.length === 0);
      const length = isBodiless ? 0 : Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      const bodyEnd = headEnd + 4 + length;
      if (this.#rest.length < bodyEnd) return;
      this.answers.push({ status, head, body: this.#rest.slice(headEnd + 4, bodyEnd) });
      this.#rest = this.#rest.slice(bodyEnd);
    }
  }
}
