/**
 * A bridge as its users have it: `mayfly serve` in its own process and data folder, and `mayfly` commands against
 * it. Nothing here reaches into the product; what a test learns, an operator could have learned.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export const mayflyMain = join(import.meta.dirname, "..", "..", "packages", "cli", "src", "main.ts");
export const project = "mayfly";
export const location = "us-central1";
export const registry = "plant";

export interface Endpoints {
  readonly mqtts: string;
  /** Its further ports. */
  readonly mqttsFurther: readonly string[];
  readonly deviceHttps: string;
  /** `host:port` of signed time, UDP. */
  readonly time: string;
  readonly admin: string;
  readonly ca: string;
  readonly adminToken: string;
  readonly pid: number;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class BridgeProcess {
  readonly folder: string;
  readonly data: string;
  #child: ChildProcess | undefined;
  #endpoints: Endpoints | undefined;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "mayfly-process-"));
    this.data = join(this.folder, "data");
  }

  get endpoints(): Endpoints {
    if (this.#endpoints === undefined) throw new Error("the bridge is not started");
    return this.#endpoints;
  }

  get port(): number {
    return Number(this.endpoints.mqtts.slice(this.endpoints.mqtts.lastIndexOf(":") + 1));
  }

  /**
   * @param under A program that runs the bridge, such as a tracer, with its arguments.
   * @param flags More flags of `mayfly serve`.
   */
  async start(under: readonly string[] = [], flags: readonly string[] = []): Promise<void> {
    const [program = process.execPath, ...args] = [
      ...under,
      process.execPath,
      mayflyMain,
      "serve",
      "--data",
      this.data,
      "--ports",
      "auto",
      ...flags,
    ];
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-4_000);
    });
    // The ready line is the first line on stdout; endpoints.json is whole by then.
    const ready = new Promise<void>((resolve, reject) => {
      child.stdout.once("data", () => resolve());
      child.once("exit", (code) =>
        reject(new Error(`mayfly serve ended with ${code} before it was ready: ${errors}`)),
      );
    });
    await ready;
    child.stdout.resume();
    this.#endpoints = JSON.parse(readFileSync(join(this.data, "endpoints.json"), "utf8")) as Endpoints;
  }

  /** Ends the server's process with a signal and waits until it is gone. @returns its exit code, null after a fatal signal. */
  async stop(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? null;
    const gone = once(child, "exit") as Promise<[number | null]>;
    // Under a tracer the server is not our child: the signal goes to the pid it told.
    process.kill(this.#endpoints?.pid ?? child.pid ?? 0, signal);
    return (await gone)[0];
  }

  run(...args: readonly string[]): Promise<CommandResult> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [mayflyMain, ...args, "--data", this.data],
        { maxBuffer: 64 << 20 },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
          resolve({ code, stdout, stderr });
        },
      );
    });
  }

  /** Runs a command that must succeed. @returns what it printed. */
  async must(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code !== 0) throw new Error(`mayfly ${args.join(" ")} ended with ${code}: ${stderr}`);
    return stdout;
  }

  /** A registry (strict unless told otherwise) to put devices in. */
  async createRegistry(...flags: readonly string[]): Promise<void> {
    await this.must("registry", "create", registry, "--location", location, ...flags);
  }

  /** A device whose key `openssl` made. @returns the key's file. */
  async createDevice(id: string): Promise<string> {
    const keyFile = join(this.folder, `${id}.key.pem`);
    const publicFile = join(this.folder, `${id}.pub.pem`);
    execFileSync("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", keyFile], {
      stdio: "pipe",
    });
    execFileSync("openssl", ["ec", "-in", keyFile, "-pubout", "-out", publicFile], { stdio: "pipe" });
    await this.must(
      "device",
      "create",
      id,
      "--location",
      location,
      "--registry",
      registry,
      "--public-key",
      publicFile,
    );
    return keyFile;
  }

  async mintToken(id: string, keyFile: string, ...flags: readonly string[]): Promise<string> {
    const name = ["--project", project, "--location", location, "--registry", registry, "--device", id];
    return (await this.must("token", "mint", "--key", keyFile, ...name, ...flags)).trim();
  }

  /** Everything the pull subscription `tests` has for us now, acknowledged. */
  async pull(): Promise<
    readonly {
      readonly device: string;
      readonly subfolder: string;
      readonly text: string;
      readonly bytes: Uint8Array;
      /** The device's own id of it; empty for none. */
      readonly deviceMessageId: string;
    }[]
  > {
    const found: {
      device: string;
      subfolder: string;
      text: string;
      bytes: Uint8Array;
      deviceMessageId: string;
    }[] = [];
    for (;;) {
      const printed = await this.must(
        "pull",
        ...[
          "--location",
          location,
          "--registry",
          registry,
          "--subscription",
          "tests",
          "--max",
          "1000",
          "--wait",
          "1",
          "--json",
        ],
      );
      const messages = parseMessages(printed);
      if (messages.length === 0) return found;
      for (const message of messages) {
        const bytes = Buffer.from(message.data ?? "", "base64");
        found.push({
          device: message.attributes["deviceId"] ?? "",
          subfolder: message.attributes["subFolder"] ?? "",
          text: bytes.toString(),
          bytes,
          deviceMessageId: message.attributes["deviceMessageId"] ?? "",
        });
      }
    }
  }

  /** Stops what runs and removes the folder. */
  async end(): Promise<void> {
    await this.stop("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function clientIdentifier(device: string): string {
  return `projects/${project}/locations/${location}/registries/${registry}/devices/${device}`;
}

/** A started bridge with a strict registry, ended with the test. */
export async function startBridge(
  t: TestContext,
  ...registryFlags: readonly string[]
): Promise<BridgeProcess> {
  const bridge = new BridgeProcess();
  t.after(() => bridge.end());
  await bridge.start();
  await bridge.createRegistry(...registryFlags);
  return bridge;
}

interface PrintedMessage {
  readonly data?: string;
  readonly attributes: Readonly<Record<string, string>>;
}

function parseMessages(printed: string): readonly PrintedMessage[] {
  return printed
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as PrintedMessage);
}
