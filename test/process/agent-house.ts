/**
 * A device as its users have it: `mayfly agent --config` in its own process, between a network that can fail and programs
 * that publish over its socket.
 *
 * What the device accepted is written down here, and held against what an application pulls from the bridge. What its
 * status says is read as a person reads it, by `mayfly agent status`.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { describeStatus, type ServiceStatus } from "../../packages/cli/src/agent-service/status-words.ts";
import { type Running, startMayfly, temporaryFolder } from "../../packages/cli/test/mayfly.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { type BridgeProcess, location, mayflyMain, project, registry } from "./bridge-process.ts";

const run = promisify(execFile);
/** Between two messages of {@link AgentHouse.publishOn}. */
const publishMillis = 500;
/** Between two looks at a status. */
const pollMillis = 150;
const inRegistry = ["--location", location, "--registry", registry];

export interface AgentHouseOptions {
  readonly device: string;
  /** Default: a key in a file, made by openssl. */
  readonly key?: { readonly socket: string };
  /** `tokenLifetime`; a short one is allowed. */
  readonly lifetime?: string;
  /** More settings; those of `bridge` are added to the proxy's. */
  readonly settings?: object;
  readonly bridgeSettings?: object;
}

/** A device that is registered, the way to its bridge, and its settings; nothing runs yet. */
export class AgentHouse {
  readonly device: string;
  readonly folder: string;
  readonly settings: string;
  readonly socket: string;
  readonly proxy: FaultProxy;
  /** Texts of the messages that were answered "kept". */
  readonly accepted: string[] = [];
  /** Those that were answered otherwise, or not at all. */
  refusedPublishes = 0;
  readonly #t: TestContext;
  readonly #bridge: BridgeProcess;
  #service: Running | undefined;
  #published = 0;

  private constructor(
    t: TestContext,
    bridge: BridgeProcess,
    device: string,
    folder: string,
    proxy: FaultProxy,
  ) {
    this.#t = t;
    this.#bridge = bridge;
    this.device = device;
    this.folder = folder;
    this.proxy = proxy;
    this.settings = join(folder, "agent.json");
    this.socket = join(folder, "agent.sock");
  }

  static async arrange(
    t: TestContext,
    bridge: BridgeProcess,
    options: AgentHouseOptions,
  ): Promise<AgentHouse> {
    const { device, key, lifetime = "1h" } = options;
    const folder = await temporaryFolder(t);
    const proxy = await FaultProxy.start({ host: "127.0.0.1", port: bridge.port });
    t.after(() => proxy.close());
    const house = new AgentHouse(t, bridge, device, folder, proxy);
    const keyFile = key === undefined ? await bridge.createDevice(device) : undefined;
    writeFileSync(
      house.settings,
      JSON.stringify({
        device: `projects/${project}/locations/${location}/registries/${registry}/devices/${device}`,
        bridge: {
          ...{ host: "127.0.0.1", port: proxy.port, servername: "localhost", ca: bridge.endpoints.ca },
          ...options.bridgeSettings,
        },
        keys: [{ slot: 0, ...(key === undefined ? { file: keyFile } : { socket: key.socket }) }],
        ...{ tokenLifetime: lifetime, lifetimeFloorSeconds: 10, stateFolder: "state", logLevel: "debug" },
        ...options.settings,
      }),
    );
    return house;
  }

  /**
   * Starts the service and waits until it takes messages.
   *
   * @param how `env`: more of it. `under`: a program that becomes the service, with its arguments.
   */
  async start(
    how: { readonly env?: NodeJS.ProcessEnv; readonly under?: readonly string[] } = {},
  ): Promise<Running> {
    this.#service = startMayfly(this.#t, ["agent", "--config", this.settings], { cwd: this.folder, ...how });
    await this.#service.line((line) => line.includes('"event":"started"'));
    return this.#service;
  }

  get service(): Running {
    assert.ok(this.#service, "the service is started");
    return this.#service;
  }

  /** How many lines of this event the service has written. */
  events(name: string): number {
    return this.service.stdoutLines.filter((line) => line.includes(`"event":"${name}"`)).length;
  }

  async status(): Promise<ServiceStatus> {
    const { body } = await this.#ask("GET", "/v1/status");
    return JSON.parse(body) as ServiceStatus;
  }

  /** Waits until the status is so, at most `seconds`. @returns it. */
  async until(fits: (status: ServiceStatus) => boolean, seconds = 60): Promise<ServiceStatus> {
    const untilMillis = performance.now() + seconds * 1000;
    for (;;) {
      const status = await this.status();
      if (fits(status)) return status;
      if (performance.now() > untilMillis) {
        assert.fail(
          `not so within ${seconds} s: ${JSON.stringify(status)}\n${this.service.stdoutLines.join("\n")}`,
        );
      }
      await wait(pollMillis);
    }
  }

  connected(seconds = 60): Promise<ServiceStatus> {
    return this.until(({ agent }) => agent.state === "connected" && agent.trouble === undefined, seconds);
  }

  /** Waits, at most `seconds`, until the status has these words. @returns its lines above the empty one. */
  async words(words: RegExp, seconds = 60): Promise<string> {
    const status = await this.until((status) => words.test(headlinesOf(describeStatus(status))), seconds);
    return headlinesOf(describeStatus(status));
  }

  /** The same, as `mayfly agent status` prints them to a person: for a state that lasts a few seconds. */
  async says(words: RegExp, seconds = 60): Promise<string> {
    const untilMillis = performance.now() + seconds * 1000;
    let printed = "";
    do {
      await this.words(words, Math.max(0, (untilMillis - performance.now()) / 1000));
      printed = headlinesOf((await this.report()).split("\n"));
    } while (!words.test(printed));
    return printed;
  }

  /** All that `mayfly agent status` prints. */
  async report(): Promise<string> {
    const args = [mayflyMain, "agent", "status", "--config", this.settings];
    return (await run(process.execPath, args)).stdout;
  }

  /** A program publishes one message. @param bytes At least so many. */
  async publish(bytes = 0): Promise<void> {
    this.#published += 1;
    const text = `${this.device}-${this.#published}`.padEnd(bytes, ".");
    const { status, body } = await this.#ask("POST", "/v1/events", text);
    if (status === 200 && JSON.parse(body).state === "kept") this.accepted.push(text);
    else this.refusedPublishes += 1;
  }

  /** A program publishes twice a second until it is told to stop. @returns stops, and waits for the last answer. */
  publishOn(): () => Promise<void> {
    let isOver = false;
    const loop = async (): Promise<void> => {
      while (!isOver) {
        await this.publish();
        await wait(publishMillis);
      }
    };
    const ended = loop();
    // Whoever stops it is told what failed.
    ended.catch(() => undefined);
    return async () => {
      isOver = true;
      await ended;
    };
  }

  /**
   * Waits until nothing waits, then pulls until nothing accepted is missing, and once more for what came twice: it was
   * durable before the last acknowledgement.
   *
   * @returns What of the accepted is missing, and how many came twice.
   */
  async pull(): Promise<{ readonly missing: readonly string[]; readonly twice: number }> {
    await this.until(({ agent }) => agent.queuedMessages === 0);
    const found: string[] = [];
    let missing: readonly string[] = this.accepted;
    for (let isLast = false; !isLast; ) {
      isLast = missing.length === 0;
      const batch = await this.#pullBatch();
      found.push(...batch.ours);
      const unique = new Set(found);
      missing = this.accepted.filter((text) => !unique.has(text));
      if (batch.size === 0) break;
    }
    const twice = found.length - new Set(found).size;
    this.#t.diagnostic(`${this.accepted.length} accepted, ${missing.length} missing, ${twice} twice`);
    return { missing, twice };
  }

  /** @returns How many messages came, of any device, and the texts of this device's. */
  async #pullBatch(): Promise<{ readonly size: number; readonly ours: readonly string[] }> {
    const of = ["--subscription", `of-${this.device}`, "--max", "1000", "--wait", "1", "--json"];
    const lines = (await this.#bridge.must("pull", ...inRegistry, ...of))
      .split("\n")
      .filter((line) => line !== "");
    const messages = lines.map(
      (line) =>
        JSON.parse(line) as {
          readonly data: string;
          readonly attributes: Readonly<Record<string, string>>;
        },
    );
    const ours = messages.filter(({ attributes }) => attributes["deviceId"] === this.device);
    return { size: lines.length, ours: ours.map(({ data }) => Buffer.from(data, "base64").toString()) };
  }

  async #ask(
    method: string,
    path: string,
    body?: string,
  ): Promise<{ readonly status: number; readonly body: string }> {
    const asked = request({ socketPath: this.socket, method, path, agent: false, timeout: 30_000 });
    asked.end(body);
    const [answer] = await once(asked, "response");
    let text = "";
    for await (const chunk of answer) text += String(chunk);
    return { status: answer.statusCode, body: text };
  }
}

function headlinesOf(lines: readonly string[]): string {
  return lines.slice(0, lines.indexOf("")).join("\n");
}

/** A simulated chip of its own process, which can be killed and started again with the same keys. */
export class ChipProcess {
  readonly socket: string;
  readonly #image: string;
  readonly #t: TestContext;
  #sim: Running | undefined;

  constructor(t: TestContext, folder: string, name: string) {
    this.#t = t;
    this.socket = join(folder, `${name}.sock`);
    this.#image = join(folder, `${name}.img`);
  }

  /** @param flags More of `mayfly chip sim`. */
  async start(...flags: readonly string[]): Promise<void> {
    this.#sim = startMayfly(this.#t, [
      ...["chip", "sim", "--socket", this.socket, "--image", this.#image, "--kind", "mayfly", "--real-time"],
      ...flags,
    ]);
    await this.#sim.line(() => true);
  }

  async kill(): Promise<void> {
    this.#sim?.kill("SIGKILL");
    await this.#sim?.ended;
  }

  /** Registers a device with the key of slot 0, read from the chip while it works. */
  async register(bridge: BridgeProcess, device: string): Promise<void> {
    const { stdout } = await run(process.execPath, [
      ...[mayflyMain, "chip", "info", "--socket", this.socket, "--public-key", "0"],
    ]);
    const file = join(bridge.folder, `${device}.pub.pem`);
    writeFileSync(file, stdout);
    // A key that openssl does not read is none.
    execFileSync("openssl", ["pkey", "-pubin", "-noout", "-in", file], { stdio: "pipe" });
    await bridge.must("device", "create", device, ...inRegistry, "--public-key", file);
  }
}
