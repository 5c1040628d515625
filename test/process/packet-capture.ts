/**
 * What tshark saw on the wire: it captures a bridge's port on the loopback device, decrypts TLS with the secrets the
 * client logged, and dissects MQTT by its own reading of the standard.
 *
 * Left to others: making a client log its TLS secrets (`mqtt5-client.ts`).
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { requireService } from "../../tools/services.ts";
import type { BridgeProcess } from "./bridge-process.ts";

const execute = promisify(execFile);

export class PacketCapture {
  /** For the client to write; tshark reads it. */
  readonly keyLogFile: string;
  readonly #file: string;
  readonly #decodeAs: string;
  readonly #tshark: ChildProcess;
  /** Ends of connections, by the bridge, that are in the capture. */
  #ends = 0;
  #onEnd = () => {};

  private constructor(tshark: ChildProcess, file: string, port: number, carrier: "tls" | "tcp") {
    this.#tshark = tshark;
    this.#file = file;
    this.#decodeAs = `${carrier}.port==${port},mqtt`;
    this.keyLogFile = `${file}.keys`;
    createInterface({ input: tshark.stdout ?? process.stdin }).on("line", (line) => {
      const [sourcePort, ...finOrReset] = line.split("\t");
      if (Number(sourcePort) !== port || !finOrReset.includes("1")) return;
      this.#ends += 1;
      this.#onEnd();
    });
  }

  /**
   * Begins to capture, and ends with the test; where tshark is missing the test ends here, skipped.
   *
   * @param name of its file, in the bridge's folder.
   * @param carrier What MQTT is carried by.
   */
  static async start(
    t: TestContext,
    bridge: Pick<BridgeProcess, "folder" | "port">,
    name: string,
    carrier: "tls" | "tcp" = "tls",
  ): Promise<PacketCapture> {
    requireService(t, "tshark");
    const file = join(bridge.folder, `${name}.pcapng`);
    // Beside writing the file it prints a line for each packet, once that packet is in the file.
    const tshark = spawn("tshark", [
      ...["-i", "lo", "-f", `tcp port ${bridge.port}`, "-w", file, "-P", "-l", "-T", "fields"],
      ...["-e", "tcp.srcport", "-e", "tcp.flags.fin", "-e", "tcp.flags.reset"],
    ]);
    t.after(() => tshark.kill());
    const capture = new PacketCapture(tshark, file, bridge.port, carrier);
    await hasBegun(tshark);
    return capture;
  }

  /** Waits until the bridge's ends of so many connections are captured, and ends the capture. */
  async end(connections: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onEnd = () => {
        if (this.#ends >= connections) resolve();
      };
      this.#onEnd();
    });
    const gone = once(this.#tshark, "exit");
    this.#tshark.kill("SIGINT");
    await gone;
  }

  /** @returns for each field, by tshark's name, its values in all MQTT packets, in the order of the wire. */
  async values(...fields: readonly string[]): Promise<readonly (readonly string[])[]> {
    const wanted = fields.flatMap((field) => ["-e", field]);
    const frames = await this.#dissect("mqtt", "-T", "fields", "-E", "occurrence=a", ...wanted);
    return fields.map((_, column) =>
      frames.flatMap((frame) => (frame.split("\t")[column] ?? "").split(",").filter((value) => value !== "")),
    );
  }

  /** @returns a line for each packet that tshark calls malformed, or warns of in its MQTT. */
  findFaults(): Promise<readonly string[]> {
    return this.#dissect("_ws.malformed || (mqtt && _ws.expert.severity >= 0x600000)");
  }

  async #dissect(filter: string, ...args: readonly string[]): Promise<readonly string[]> {
    const { stdout } = await execute("tshark", [
      ...["-r", this.#file, "-o", `tls.keylog_file:${this.keyLogFile}`],
      ...["-d", this.#decodeAs, "-Y", filter, ...args],
    ]);
    return stdout.split("\n").filter((line) => line !== "");
  }
}

/** It names the file when packets are being captured, or ends with a reason. */
async function hasBegun(tshark: ChildProcess): Promise<void> {
  let said = "";
  await new Promise<void>((resolve, reject) => {
    tshark.stderr?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000);
      if (said.includes("File: ")) resolve();
    });
    tshark.once("exit", (code) => reject(new Error(`tshark ended with ${code}: ${said}`)));
  });
}
