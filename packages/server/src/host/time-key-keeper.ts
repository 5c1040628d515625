/**
 * Keeps the online key of signed time as its file has it, and tells when signed time begins and ends.
 *
 * The file is read again each minute, so that a new delegation needs no restart. A file that cannot be used leaves the
 * key in force until its own delegation is over; a file that is gone ends signed time at once.
 */
import { readFile, stat } from "node:fs/promises";
import type { CancelTimer, Timers } from "@mayfly/core";
import { type OnlineTimeKey, type OwnClock, readyKey } from "../time/time-answerer.ts";
import { parseTimeKeyFile, type TimeKeyFile } from "./time-key-file.ts";

/** How often the file is looked at. */
export const timeKeyCheckMillis = 60_000;
/** A key file has about 700 bytes; a larger one is something else. */
export const timeKeyFileBytesMax = 16_384;

/** What an operator wants to read in the log; each is told once, when it becomes true. */
export type TimeKeyEvent =
  | { readonly kind: "signed_time_on"; readonly untilMillis: number }
  | { readonly kind: "signed_time_off"; readonly because: string }
  | { readonly kind: "time_key_unusable"; readonly because: string };

export interface TimeKeyKeeper {
  find(): OnlineTimeKey | undefined;
  /** Of the key in force, seconds until its delegation ends, 0 when over or none. */
  delegationLeftSeconds(): number;
  /** Looks at the file now. */
  check(): Promise<void>;
  close(): void;
}

/** Reads the file a first time, and then each {@link timeKeyCheckMillis}. */
export async function openTimeKeyKeeper(
  file: string,
  ports: {
    readonly ownClock: OwnClock;
    readonly timers: Timers;
    readonly tell: (event: TimeKeyEvent) => void;
  },
): Promise<TimeKeyKeeper> {
  const { ownClock, tell } = ports;
  let key: TimeKeyFile | undefined;
  let lastText: string | undefined;
  let lastState = "";
  let lastTrouble = "";
  let cancel: CancelTimer | undefined;
  let isClosed = false;

  async function check(): Promise<void> {
    try {
      const text = await readIfThere(file);
      if (text !== lastText) {
        lastText = text;
        key = text === undefined ? undefined : parseTimeKeyFile(text);
        lastTrouble = "";
      }
    } catch (error) {
      tellTrouble(error);
    }
    tellChange();
  }

  /** The platform's errors name the file and the reason; ours quote nothing of it. */
  function tellTrouble(error: unknown): void {
    const because = error instanceof Error ? error.message : "unreadable";
    if (because === lastTrouble) return;
    lastTrouble = because;
    tell({ kind: "time_key_unusable", because });
  }

  function tellChange(): void {
    const ready = readyKey({ ownClock, findKey: () => key });
    const state = typeof ready === "string" ? ready : `until ${ready.bounds.notAfterMillis}`;
    if (state === lastState) return;
    lastState = state;
    if (typeof ready === "string") tell({ kind: "signed_time_off", because: ready });
    else tell({ kind: "signed_time_on", untilMillis: ready.bounds.notAfterMillis });
  }

  function plan(): void {
    cancel = ports.timers.after(timeKeyCheckMillis, () => {
      void check().then(() => {
        if (!isClosed) plan();
      });
    });
  }

  await check();
  plan();
  return {
    find: () => key,
    delegationLeftSeconds() {
      if (key === undefined) return 0;
      return Math.max(0, key.bounds.notAfterMillis / 1000 - ownClock.wallSeconds());
    },
    check,
    close() {
      isClosed = true;
      cancel?.();
    },
  };
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    if ((await stat(file)).size > timeKeyFileBytesMax)
      throw new Error("the file is too large for a time key");
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
