/** Starts `outbox-agent.ts` as a process, reads its lines and kills it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type BridgeProcess, location, project, registry } from "./bridge-process.ts";
import type { OutboxAgentOrder } from "./outbox-agent.ts";

const program = join(import.meta.dirname, "outbox-agent.ts");

export class OutboxProcess {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #gone: Promise<unknown>;
  #errors = "";
  #rest = "";
  #isGone = false;

  /** @param under A program that runs it, with its arguments. */
  constructor(order: OutboxAgentOrder, under: readonly string[] = []) {
    const [command = process.execPath, ...args] = [
      ...under,
      process.execPath,
      program,
      JSON.stringify(order),
    ];
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", (chunk: Buffer) => {
      const parts = (this.#rest + chunk.toString()).split("\n");
      this.#rest = parts.pop() ?? "";
      this.lines.push(...parts);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-4_000);
    });
    this.#child = child;
    this.#gone = once(child, "close").then(() => {
      this.#isGone = true;
    });
  }

  /** What follows `word` in each line that begins with it. */
  said(word: string): string[] {
    return this.lines.filter((line) => line.startsWith(word)).map((line) => line.slice(word.length).trim());
  }

  /** @throws {Error} when it has not said so in time, or ended. */
  async until(word: string, count = 1, millisMax = 30_000): Promise<void> {
    const end = Date.now() + millisMax;
    while (this.said(word).length < count) {
      if (this.#child.exitCode !== null || Date.now() > end) {
        throw new Error(
          `never said ${word} ${count} times: ${this.lines.slice(-3).join(" | ")} ${this.#errors}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async kill(): Promise<void> {
    // Under a tracer the agent is not our child, and would live on without it.
    if (!this.#isGone) for (const pid of this.said("started")) killIfThere(Number(pid));
    this.#child.kill("SIGKILL");
    await this.#gone;
  }

  /** Waits until it ends by itself. */
  async end(): Promise<void> {
    await this.#gone;
    if (this.#child.exitCode !== 0) throw new Error(`ended with ${this.#child.exitCode}: ${this.#errors}`);
  }
}

export function orderOf(
  bridge: BridgeProcess,
  device: string,
  keyFile: string,
  folder: string,
): Pick<
  OutboxAgentOrder,
  "endpointsFile" | "keyFile" | "folder" | "project" | "location" | "registry" | "device"
> {
  return {
    endpointsFile: join(bridge.data, "endpoints.json"),
    keyFile,
    folder,
    project,
    location,
    registry,
    device,
  };
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
