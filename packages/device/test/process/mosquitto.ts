/**
 * Mosquitto as a plain broker: takes anybody, over TLS for the agent and in the clear for its own clients, and can be
 * stopped in whatever manner and started again on its ports.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { requireService } from "../../../../tools/services.ts";
import { makeIdentity } from "./identity.ts";

const execute = promisify(execFile);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class Mosquitto {
  /** TLS. */
  readonly port: number;
  readonly plainPort: number;
  readonly caPem: string;
  readonly folder: string;
  /** What it logged, of all its runs. */
  readonly lines: string[] = [];
  #process: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  private constructor(
    ports: readonly [number, number],
    identity: { readonly cert: string; readonly folder: string },
  ) {
    [this.port, this.plainPort] = ports;
    this.caPem = identity.cert;
    this.folder = identity.folder;
  }

  /** Runs until the test ends; where there is no Mosquitto the test ends here, skipped. */
  static async start(t: TestContext): Promise<Mosquitto> {
    requireService(t, "mosquitto");
    requireService(t, "mosquitto_pub");
    const identity = makeIdentity(t);
    const mosquitto = new Mosquitto([await freePort(), await freePort()], identity);
    const { folder, port, plainPort } = mosquitto;
    const tls = `certfile ${join(folder, "cert.pem")}\nkeyfile ${join(folder, "key.pem")}`;
    writeFileSync(
      join(folder, "mosquitto.conf"),
      `listener ${port} 127.0.0.1\n${tls}\nlistener ${plainPort} 127.0.0.1\nallow_anonymous true\nuser root\n`,
    );
    t.after(() => mosquitto.stop("SIGKILL"));
    await mosquitto.run();
    return mosquitto;
  }

  /** Starts it again. */
  async run(): Promise<void> {
    const broker = spawn("mosquitto", ["-c", join(this.folder, "mosquitto.conf"), "-v"], {
      env: { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` },
    });
    this.#process = broker;
    this.#ended = new Promise((resolve) => broker.on("exit", resolve));
    await new Promise<void>((resolve, reject) => {
      let tail = "";
      broker.stderr.setEncoding("utf8").on("data", (text: string) => {
        const lines = (tail + text).split("\n");
        tail = lines.pop() ?? "";
        this.lines.push(...lines);
        if (lines.some((line) => line.includes("running"))) resolve();
      });
      broker.on("exit", () => reject(new Error(`mosquitto ended: ${this.lines.slice(-20).join("\n")}`)));
    });
  }

  /** SIGTERM: in order; SIGKILL: as if the power was cut. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#process?.kill(signal);
    await this.#ended;
  }

  /** SIGSTOP: its sockets stay and nobody reads them; SIGCONT: it goes on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.kill(signal);
  }

  /** Publishes by Mosquitto's own client, QoS 1. */
  async publish(topic: string, payload: string): Promise<void> {
    const address = ["-h", "127.0.0.1", "-p", String(this.plainPort)];
    await execute("mosquitto_pub", [...address, "-t", topic, "-q", "1", "-m", payload]);
  }

  /** Lines that name all of these. */
  count(...words: readonly string[]): number {
    return this.lines.filter((line) => words.every((word) => line.includes(word))).length;
  }
}
