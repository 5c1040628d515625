/**
 * The live tail: messages of a registry as NDJSON while they become durable, for as long as somebody reads.
 *
 * A slow reader is never waited for: what does not fit its bounded queue is dropped and the number told in a
 * line of its own once there is room. An empty line every 15 s shows both sides that the other is there.
 */
import { Readable } from "node:stream";
import type { CancelTimer, Timers } from "@mayfly/core";
import type { RegistryIdentity } from "../registry/model.ts";
import type { Backbone } from "../telemetry/backbone.ts";
import { isForTopic } from "../telemetry/routing.ts";
import { ApiError } from "./api-error.ts";
import { formatMessage } from "./subscription-json.ts";

/** Tails open at once; one more is refused RESOURCE_EXHAUSTED. */
export const TAILS_MAX = 64;
/** Characters of lines waiting for one reader, besides the stream's own buffer. */
export const TAIL_QUEUE_CHARACTERS_MAX = 1024 * 1024;
const heartbeatMillis = 15_000;

export interface Tails {
  /** A byte stream of all messages, or of those routed to a topic; it ends when destroyed or when {@link Tails.close} is called. @throws {ApiError} RESOURCE_EXHAUSTED, UNAVAILABLE */
  open(registry: RegistryIdentity, topic?: string): Readable;
  count(): number;
  close(): void;
}

export function createTails(
  ports: { readonly backbone: Pick<Backbone, "tail">; readonly timers: Timers },
  tailsMax = TAILS_MAX,
): Tails {
  const tails = new Set<TailStream>();
  let isClosed = false;

  return {
    open(registry, topic) {
      if (isClosed) throw new ApiError("UNAVAILABLE", "The server is shutting down.");
      if (tails.size >= tailsMax) {
        throw new ApiError("RESOURCE_EXHAUSTED", `${tailsMax} tails are open already.`);
      }
      const tail = new TailStream(ports.timers);
      const stop = ports.backbone.tail(registry, (message) => {
        if (!isForTopic(topic, message.topic)) return;
        tail.offer(`${JSON.stringify({ kind: "message", message: formatMessage(message) })}\n`);
      });
      tails.add(tail);
      tail.once("close", () => {
        tails.delete(tail);
        stop();
      });
      return tail;
    },
    count: () => tails.size,
    close() {
      isClosed = true;
      for (const tail of tails) tail.end();
    },
  };
}

class TailStream extends Readable {
  readonly #timers: Timers;
  readonly #queue: string[] = [];
  #queuedCharacters = 0;
  #dropped = 0;
  #wantsMore = false;
  #isEnded = false;
  #stopHeartbeat: CancelTimer;

  constructor(timers: Timers) {
    super();
    this.#timers = timers;
    this.#stopHeartbeat = timers.after(heartbeatMillis, () => this.#beat());
    // The first bytes carry the response's headers: the reader knows at once that the tail is open.
    this.offer("\n");
  }

  offer(line: string): void {
    if (this.#isEnded) return;
    if (this.#queuedCharacters + line.length > TAIL_QUEUE_CHARACTERS_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#queue.push(line);
    this.#queuedCharacters += line.length;
    this.#flush();
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#stopHeartbeat();
    this.push(null);
  }

  override _read(): void {
    this.#wantsMore = true;
    this.#flush();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#isEnded = true;
    this.#stopHeartbeat();
    done(error);
  }

  #flush(): void {
    while (this.#wantsMore && !this.#isEnded) {
      const line = this.#queue.shift();
      if (line !== undefined) {
        this.#queuedCharacters -= line.length;
        this.#wantsMore = this.push(line);
      } else if (this.#dropped > 0) {
        const count = this.#dropped;
        this.#dropped = 0;
        this.#wantsMore = this.push(`${JSON.stringify({ kind: "dropped", count })}\n`);
      } else {
        return;
      }
    }
  }

  #beat(): void {
    if (this.#queue.length === 0) this.offer("\n");
    this.#stopHeartbeat = this.#timers.after(heartbeatMillis, () => this.#beat());
  }
}
