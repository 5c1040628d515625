/**
 * The stream of presence: who is online now, then each change, as NDJSON for as long as somebody reads.
 *
 * A reader is a place in the shared history and nothing more: no queue is kept for it, so a slow one is never waited
 * for and costs no memory. One that comes back with its last position gets what it missed; one whose position is no
 * longer kept (it was too slow, or away too long, or the bridge was restarted) gets a snapshot, which says as much.
 * An empty line every 15 s shows both sides that the other is there.
 */
import { Readable } from "node:stream";
import type { CancelTimer, Timers } from "@mayfly/core";
import type { PresenceLine } from "@mayfly/core/admin";
import type { Presence, PresentDevice } from "../presence/presence.ts";
import type { PresencePlace } from "../presence/presence-history.ts";
import type { PresenceService } from "../presence/presence-service.ts";
import type { RegistryRef } from "../registry/model.ts";
import { ApiError } from "./api-error.ts";
import { formatPlace, formatPresenceEvent, formatPresenceState } from "./presence-json.ts";

/** Streams of presence open at once; one more is refused RESOURCE_EXHAUSTED. */
export const PRESENCE_STREAMS_MAX = 64;
const heartbeatMillis = 15_000;

export interface PresenceStreams {
  /**
   * A byte stream; it ends when destroyed or when {@link PresenceStreams.close} is called.
   * @param after where an earlier one ended. @throws {ApiError} RESOURCE_EXHAUSTED, UNAVAILABLE
   */
  open(registry: RegistryRef, after: PresencePlace | undefined): Readable;
  count(): number;
  close(): void;
}

export function createPresenceStreams(
  ports: { readonly presence: Pick<PresenceService, "book" | "history">; readonly timers: Timers },
  streamsMax = PRESENCE_STREAMS_MAX,
): PresenceStreams {
  const streams = new Set<PresenceStream>();
  let isClosed = false;

  return {
    open(registry, after) {
      if (isClosed) throw new ApiError("UNAVAILABLE", "The server is shutting down.");
      if (streams.size >= streamsMax) {
        throw new ApiError("RESOURCE_EXHAUSTED", `${streamsMax} streams of presence are open already.`);
      }
      const stream = new PresenceStream(ports, registry, after);
      const stop = ports.presence.history.onAppend(() => stream.flush());
      streams.add(stream);
      stream.once("close", () => {
        streams.delete(stream);
        stop();
      });
      return stream;
    },
    count: () => streams.size,
    close() {
      isClosed = true;
      for (const stream of streams) stream.end();
    },
  };
}

class PresenceStream extends Readable {
  readonly #presence: Pick<PresenceService, "book" | "history">;
  readonly #timers: Timers;
  readonly #registry: RegistryRef;
  #place: PresencePlace;
  /** What is left to tell of a snapshot, the next one last. */
  #snapshot: { readonly device: PresentDevice; readonly presence: Presence }[] = [];
  /** Whether where the reader is was not told since it was last there. */
  #owesPosition = false;
  #wantsMore = false;
  #isEnded = false;
  #stopHeartbeat: CancelTimer;

  constructor(
    ports: { readonly presence: Pick<PresenceService, "book" | "history">; readonly timers: Timers },
    registry: RegistryRef,
    after: PresencePlace | undefined,
  ) {
    super();
    this.#presence = ports.presence;
    this.#timers = ports.timers;
    this.#registry = registry;
    this.#place = after ?? { epoch: "", sequence: 0 };
    this.#stopHeartbeat = ports.timers.after(heartbeatMillis, () => this.#beat());
    // The first bytes carry the response's headers: the reader knows at once that the stream is open.
    this.push("\n");
  }

  flush(): void {
    while (this.#wantsMore && !this.#isEnded) {
      const line = this.#next();
      if (line === undefined) return;
      this.#wantsMore = this.push(`${JSON.stringify(line)}\n`);
    }
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#stopHeartbeat();
    this.push(null);
  }

  override _read(): void {
    this.#wantsMore = true;
    this.flush();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#isEnded = true;
    this.#stopHeartbeat();
    done(error);
  }

  #next(): PresenceLine | undefined {
    const { book, history } = this.#presence;
    const state = this.#snapshot.pop();
    if (state !== undefined)
      return { kind: "state", state: formatPresenceState(state.device, state.presence) };
    if (this.#owesPosition) {
      this.#owesPosition = false;
      return { kind: "current", position: formatPlace(this.#place) };
    }
    if (!history.holds(this.#place)) {
      this.#place = history.end;
      this.#snapshot = [...book.online(this.#registry)].reverse();
      this.#owesPosition = true;
      return { kind: "snapshot", online: this.#snapshot.length };
    }
    const event = history.next(this.#registry, this.#place.sequence);
    // What other registries told in between need not be looked through again.
    this.#place = { ...this.#place, sequence: event?.sequence ?? history.end.sequence };
    if (event === undefined) return undefined;
    return { kind: "change", position: formatPlace(this.#place), change: formatPresenceEvent(event) };
  }

  #beat(): void {
    if (this.readableLength === 0) this.push("\n");
    this.#stopHeartbeat = this.#timers.after(heartbeatMillis, () => this.#beat());
  }
}
