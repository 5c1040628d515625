/**
 * A worker of the real XS engine: one process, one heap, told what to do over two pipes.
 *
 * The worker of `@agoric/xsnap` is a program that reads netstrings: evaluate this source, take this command, write a
 * snapshot. We speak to it ourselves, because the library that comes with it freezes its host's built-ins, and the
 * host here is the test that also runs the real bridge. A worker runs promise jobs until none is left after each
 * message, so it is idle whenever it has answered.
 *
 * Left to others: what a snapshot says (`xs-snapshot.ts`), and what runs inside (`inside/`).
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { xsWorkerFile } from "../../tools/services.ts";

/** Exit codes of the worker (its source's `ExitCode`). */
const deaths: Readonly<Record<number, string>> = {
  11: "not enough memory",
  12: "stack overflow",
  15: "unhandled exception",
  16: "no more keys",
  17: "too much computation",
};

/** The worker ended by itself; `because` is one of its own few reasons, or the exit code. */
export class XsWorkerDied extends Error {
  override readonly name = "XsWorkerDied";
  readonly because: string;

  constructor(because: string) {
    super(`the XS worker died: ${because}`);
    this.because = because;
  }
}

/** The code inside threw; `message` is what it threw, as text. */
export class XsThrew extends Error {
  override readonly name = "XsThrew";
}

export interface XsAnswer {
  readonly bytes: Uint8Array;
  /** Slots in use, those included that the next collection frees. */
  readonly heapCount: number;
}

type Waiting = {
  readonly resolve: (answer: XsAnswer) => void;
  readonly reject: (error: Error) => void;
};

const newline = 0x0a;
const colon = 0x3a;

export class XsWorker {
  readonly #process: ChildProcess;
  readonly #toWorker: Duplex;
  readonly #snapshots: Duplex;
  /** Answers `issueCommand` from inside, which waits for it. */
  readonly #ask: (request: Uint8Array) => Uint8Array;
  #buffer: Buffer = Buffer.alloc(0);
  #waiting: Waiting | undefined;
  #death: XsWorkerDied | undefined;
  readonly #ended: Promise<void>;

  /** @param snapshot The heap to start from; absent: the built-ins alone. */
  constructor(
    options: { readonly snapshot?: Uint8Array; readonly ask?: (request: Uint8Array) => Uint8Array } = {},
  ) {
    this.#ask = options.ask ?? (() => new Uint8Array());
    const args = options.snapshot === undefined ? ["xs"] : ["xs", "-r", "@8:snapshot"];
    this.#process = spawn(xsWorkerFile, args, {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe", "ignore", "ignore", "pipe", "pipe"],
    });
    const pipes: readonly unknown[] = this.#process.stdio;
    this.#toWorker = pipes[3] as Duplex;
    const fromWorker = pipes[4] as Duplex;
    this.#snapshots = pipes[7] as Duplex;
    const toLoad = pipes[8] as Duplex;
    fromWorker.on("data", (piece: Buffer) => this.#take(piece));
    // A worker that has died no longer reads; its end says why.
    for (const pipe of [this.#toWorker, fromWorker, this.#snapshots, toLoad]) pipe.on("error", () => {});
    if (options.snapshot !== undefined) toLoad.end(options.snapshot);
    this.#ended = new Promise((resolve) => {
      this.#process.once("close", (code, signal) => {
        this.#death = new XsWorkerDied(deaths[code ?? 0] ?? `exit ${code ?? signal}`);
        this.#waiting?.reject(this.#death);
        resolve();
      });
    });
  }

  /** Runs a script in the global scope, and every promise job it leads to. */
  evaluate(source: string): Promise<XsAnswer> {
    return this.#say("e", Buffer.from(source));
  }

  /** Calls `handleCommand` inside; the answer is the `result` of what it returned, once no job is left. */
  command(bytes: Uint8Array): Promise<XsAnswer> {
    return this.#say("?", bytes);
  }

  /** The value of an expression, by way of JSON. */
  async valueOf(expression: string): Promise<unknown> {
    const { bytes } = await this.evaluate(`new TextEncoder().encode(JSON.stringify(${expression})).buffer`);
    return JSON.parse(Buffer.from(bytes).toString());
  }

  /** The whole heap, collected first. */
  async snapshot(): Promise<Buffer> {
    await this.evaluate("gc(); 1");
    const pipe = this.#snapshots;
    const pieces: Buffer[] = [];
    let taken = 0;
    let whole = Number.POSITIVE_INFINITY;
    let done = (): void => {};
    const arrived = new Promise<void>((resolve) => {
      done = resolve;
    });
    const listen = (piece: Buffer): void => {
      pieces.push(piece);
      taken += piece.length;
      if (taken >= whole) done();
    };
    pipe.on("data", listen);
    const { bytes } = await this.#say("w", Buffer.from("@7"));
    whole = Number(Buffer.from(bytes).toString());
    if (taken < whole) await arrived;
    pipe.off("data", listen);
    return Buffer.concat(pieces);
  }

  /** Ends the worker, whatever it is at. */
  async end(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  #say(letter: string, bytes: Uint8Array): Promise<XsAnswer> {
    if (this.#waiting !== undefined) throw new Error("the XS worker is asked one thing at a time");
    if (this.#death !== undefined) return Promise.reject(this.#death);
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiting = undefined;
      };
      this.#waiting = {
        resolve: (answer) => {
          settle();
          resolve(answer);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      this.#write(letter, bytes);
    });
  }

  #write(letter: string, bytes: Uint8Array): void {
    this.#toWorker.write(
      Buffer.concat([Buffer.from(`${bytes.length + 1}:${letter}`), bytes, Buffer.from(",")]),
    );
  }

  #take(piece: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? piece : Buffer.concat([this.#buffer, piece]);
    for (;;) {
      const sizeEnd = this.#buffer.indexOf(colon);
      if (sizeEnd < 0) return;
      const start = sizeEnd + 1;
      const end = start + Number(this.#buffer.toString("latin1", 0, sizeEnd));
      if (this.#buffer.length <= end) return;
      const message = this.#buffer.subarray(start, end);
      this.#buffer = this.#buffer.subarray(end + 1);
      this.#takeMessage(message);
    }
  }

  #takeMessage(message: Buffer): void {
    const body = message.subarray(1);
    switch (String.fromCharCode(message[0] ?? newline)) {
      case "?":
        this.#write("/", this.#ask(body));
        return;
      case "!":
        this.#waiting?.reject(new XsThrew(body.toString()));
        return;
      case ".": {
        // What it cost as JSON, a byte 01, the answer.
        const meterEnd = body.indexOf(1);
        const meter: unknown = meterEnd < 0 ? {} : JSON.parse(body.toString("latin1", 0, meterEnd));
        this.#waiting?.resolve({
          bytes: Uint8Array.from(body.subarray(meterEnd + 1)),
          heapCount: heapCountOf(meter),
        });
        return;
      }
      default:
        this.#waiting?.reject(new Error("the XS worker said something unknown"));
    }
  }
}

function heapCountOf(meter: unknown): number {
  const isMeter = typeof meter === "object" && meter !== null && "currentHeapCount" in meter;
  return isMeter ? Number(meter.currentHeapCount) : Number.NaN;
}
