/**
 * Live tails: messages of a registry as NDJSON while they become durable, or entries of its devices' log while they
 * are made, for as long as somebody reads.
 *
 * A slow reader is never waited for: what does not fit its bounded queue is dropped and the number told in a
 * line of its own once there is room.
 */
import type { Readable } from "node:stream";
import type { Timers } from "@mayfly/core";
import type { DeviceLogLine, TailLine } from "@mayfly/core/admin";
import type { RegistryIdentity } from "../registry/model.ts";
import type { Backbone } from "../telemetry/backbone.ts";
import type { DeviceLog } from "../telemetry/device-log.ts";
import { isForTopic } from "../telemetry/routing.ts";
import { ApiError } from "./api-error.ts";
import { formatDeviceLogEntry } from "./device-log-json.ts";
import { LineStream } from "./line-stream.ts";
import { formatMessage } from "./subscription-json.ts";

/** Tails open at once; one more is refused RESOURCE_EXHAUSTED. */
export const TAILS_MAX = 64;
/** Characters of lines waiting for one reader, besides the stream's own buffer. */
export const TAIL_QUEUE_CHARACTERS_MAX = 1024 * 1024;

export interface Tails {
  /** A byte stream of all messages, or of those routed to a topic; it ends when destroyed or when {@link Tails.close} is called. @throws {ApiError} RESOURCE_EXHAUSTED, UNAVAILABLE */
  open(registry: RegistryIdentity, topic?: string): Readable;
  /** As for messages: what a registry's devices do, or one of them, by numId. @throws as {@link Tails.open} */
  openLog(registry: Pick<RegistryIdentity, "numId">, deviceNumId?: string): Readable;
  count(): number;
  close(): void;
}

export function createTails(
  ports: {
    readonly backbone: Pick<Backbone, "tail">;
    readonly deviceLog: Pick<DeviceLog, "follow">;
    readonly timers: Timers;
  },
  tailsMax = TAILS_MAX,
): Tails {
  const tails = new Set<TailStream>();
  let isClosed = false;

  function openTail(listen: (offer: (line: TailLine | DeviceLogLine) => void) => () => void): Readable {
    if (isClosed) throw new ApiError("UNAVAILABLE", "The server is shutting down.");
    if (tails.size >= tailsMax) {
      throw new ApiError("RESOURCE_EXHAUSTED", `${tailsMax} tails are open already.`);
    }
    const tail = new TailStream(ports.timers);
    const stop = listen((line) => tail.offer(`${JSON.stringify(line)}\n`));
    tails.add(tail);
    tail.once("close", () => {
      tails.delete(tail);
      stop();
    });
    return tail;
  }

  return {
    open: (registry, topic) =>
      openTail((offer) =>
        ports.backbone.tail(registry, (message) => {
          if (isForTopic(topic, message.topic)) offer({ kind: "message", message: formatMessage(message) });
        }),
      ),
    openLog: (registry, deviceNumId) =>
      openTail((offer) =>
        ports.deviceLog.follow(registry, (logged) => {
          if (deviceNumId !== undefined && deviceNumId !== logged.deviceNumId) return;
          offer({ kind: "entry", entry: formatDeviceLogEntry(logged) });
        }),
      ),
    count: () => tails.size,
    close() {
      isClosed = true;
      for (const tail of tails) tail.end();
    },
  };
}

class TailStream extends LineStream {
  readonly #queue: string[] = [];
  #queuedCharacters = 0;
  #dropped = 0;

  offer(line: string): void {
    if (this.isEnded) return;
    if (this.#queuedCharacters + line.length > TAIL_QUEUE_CHARACTERS_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#queue.push(line);
    this.#queuedCharacters += line.length;
    this.flush();
  }

  override nextLine(): string | undefined {
    const line = this.#queue.shift();
    if (line !== undefined) {
      this.#queuedCharacters -= line.length;
      return line;
    }
    if (this.#dropped === 0) return undefined;
    const count = this.#dropped;
    this.#dropped = 0;
    return `${JSON.stringify({ kind: "dropped", count })}\n`;
  }
}
