/**
 * The stream of presence: who is online now, then each change, as NDJSON for as long as somebody reads.
 *
 * A reader is a place in the shared history and nothing more: no queue is kept for it, so a slow one is never waited
 * for and costs no memory. One that comes back with its last position gets what it missed; one whose position is no
 * longer kept (it was too slow, or away too long, or the bridge was restarted) gets a snapshot, which says as much.
 */
import type { Readable } from "node:stream";
import type { Timers } from "@mayfly/core";
import type { PresenceLine } from "@mayfly/core/admin";
import type { Presence, PresentDevice } from "../presence/presence.ts";
import type { PresencePlace } from "../presence/presence-history.ts";
import type { PresenceService } from "../presence/presence-service.ts";
import type { RegistryRef } from "../registry/model.ts";
import { ApiError } from "./api-error.ts";
import { LineStream } from "./line-stream.ts";
import { formatPlace, formatPresenceEvent, formatPresenceState } from "./presence-json.ts";

/** Streams of presence open at once; one more is refused RESOURCE_EXHAUSTED. */
export const PRESENCE_STREAMS_MAX = 64;

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

class PresenceStream extends LineStream {
  readonly #presence: Pick<PresenceService, "book" | "history">;
  readonly #registry: RegistryRef;
  #place: PresencePlace;
  /** What is left to tell of a snapshot, the next one last. */
  #snapshot: { readonly device: PresentDevice; readonly presence: Presence }[] = [];
  /** Whether where the reader is was not told since it was last there. */
  #owesPosition = false;

  constructor(
    ports: { readonly presence: Pick<PresenceService, "book" | "history">; readonly timers: Timers },
    registry: RegistryRef,
    after: PresencePlace | undefined,
  ) {
    super(ports.timers);
    this.#presence = ports.presence;
    this.#registry = registry;
    this.#place = after ?? { epoch: "", sequence: 0 };
  }

  override nextLine(): string | undefined {
    const line = this.#next();
    return line === undefined ? undefined : `${JSON.stringify(line)}\n`;
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
}
