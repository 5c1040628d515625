/**
 * A bus that writes down what the driver sends and answers from a script: no chip, and no idea of one.
 *
 * Each command group takes the next answer of the script; each wake pulse puts "just woken" in its place. So the driver's
 * bytes are held to the published traces alone, and a mistake shared with the simulator cannot hide here.
 */
import type { ChipTime, I2cBus } from "../src/bus.ts";

export interface ScriptedAnswer {
  /** Hexadecimal, as read from the chip. */
  readonly bytes: string;
  /** Polls that are not acknowledged before. */
  readonly busyPolls?: number;
}

export type Script = readonly (string | ScriptedAnswer | "nack-write")[];

export class RecordingBus implements I2cBus, ChipTime {
  readonly #script: (string | ScriptedAnswer)[];
  #wakeAnswer: string | undefined;
  /** One line per transaction: `wake`, `W …`, `W! …` not acknowledged, `R n`, `R! n`. */
  readonly lines: string[] = [];
  readonly addresses = new Set<number>();
  readonly pulsedAtMillis: number[] = [];
  bytesOnBus = 0;
  #millis = 0;
  #output: Uint8Array = new Uint8Array(0);
  #at = 0;
  #busyPolls = 0;

  constructor(
    script: Script,
    options: { readonly wakeAnswer?: string | undefined } = { wakeAnswer: "04 11 33 43" },
  ) {
    this.#script = [...script];
    this.#wakeAnswer = options.wakeAnswer;
  }

  /** The command groups and other writes, without polls, reads and pulses. */
  written(): readonly string[] {
    return this.lines.filter((line) => line.startsWith("W ") && line !== "W 00").map((line) => line.slice(2));
  }

  /** From now on nobody wakes. */
  forgetWakeAnswer(): void {
    this.#wakeAnswer = undefined;
  }

  unusedAnswers(): number {
    return this.#script.length;
  }

  async write(address: number, bytes: Uint8Array): Promise<"ack" | "nack"> {
    this.addresses.add(address);
    this.bytesOnBus += 1 + bytes.length;
    const line = toHex(bytes);
    const isDeaf = this.#busyPolls > 0 || this.#output.length === 0;
    if (bytes[0] !== 0x03 && isDeaf) return this.#nack(`W! ${line}`);
    if (bytes[0] === 0x00) this.#at = 0;
    if (bytes[0] === 0x03) {
      const next = this.#script.shift();
      if (next === "nack-write") return this.#nack(`W! ${line}`);
      if (next === undefined) throw new Error(`nothing scripted for ${line}`);
      const answer = typeof next === "string" ? { bytes: next } : next;
      this.#output = fromHex(answer.bytes);
      this.#busyPolls = answer.busyPolls ?? 0;
      this.#at = 0;
    }
    this.lines.push(`W ${line}`);
    return "ack";
  }

  async read(address: number, length: number): Promise<Uint8Array | undefined> {
    this.addresses.add(address);
    if (this.#busyPolls > 0 || this.#output.length === 0) {
      this.bytesOnBus += 1;
      this.#nack(`R! ${length}`);
      return undefined;
    }
    this.bytesOnBus += 1 + length;
    this.lines.push(`R ${length}`);
    const bytes = new Uint8Array(length).fill(0xff);
    bytes.set(this.#output.subarray(this.#at, this.#at + length));
    this.#at += length;
    return bytes;
  }

  async wake(): Promise<void> {
    this.lines.push("wake");
    this.pulsedAtMillis.push(this.#millis);
    this.bytesOnBus += 2;
    if (this.#wakeAnswer === undefined) return;
    this.#output = fromHex(this.#wakeAnswer);
    this.#at = 0;
  }

  monotonicMillis(): number {
    return this.#millis;
  }

  async delayMicros(micros: number): Promise<void> {
    this.#millis += micros / 1000;
  }

  #nack(line: string): "nack" {
    this.lines.push(line);
    if (this.#busyPolls > 0) this.#busyPolls -= 1;
    return "nack";
  }
}

export function fromHex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, "");
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16),
  );
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");
}
