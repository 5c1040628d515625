/**
 * The doctor's judgements: facts in, ok, warn or fail with a sentence out. Pure; the facts come from `host/`.
 */
import { formatDuration } from "./output.ts";

export interface Check {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  /** What was found. */
  readonly message: string;
  /** What to do about it; absent when nothing is to be done. */
  readonly advice?: string;
}

export const NODE_MAJOR_MIN = 24;
/** Older ones have a bug that can corrupt a WAL database (fixed in 3.51.3). */
export const SQLITE_VERSION_MIN = "3.51.3";
const DISK_FAIL_BYTES = 100 * 1024 ** 2;
const DISK_WARN_BYTES = 1024 ** 3;
/** Reasons shown of those the server tells. */
const REASONS_MAX = 8;
const CERTIFICATE_WARN_SECONDS = 14 * 86_400;
/** A strict registry forgives a device's clock this much: the server's own must be far better. */
const CLOCK_FAIL_SECONDS = 90;
const CLOCK_WARN_SECONDS = 5;
const DELEGATION_WARN_SECONDS = 7 * 86_400;

export function judgeNode(version: string): Check {
  const major = Number(version.split(".")[0]);
  return major >= NODE_MAJOR_MIN
    ? { name: "node", status: "ok", message: `version ${version}` }
    : {
        name: "node",
        status: "fail",
        message: `version ${version}`,
        advice: `install Node ${NODE_MAJOR_MIN} or later`,
      };
}

export function judgeSqlite(version: string | undefined): Check {
  if (version !== undefined && compareVersions(version, SQLITE_VERSION_MIN) >= 0) {
    return { name: "sqlite", status: "ok", message: `version ${version}` };
  }
  return {
    name: "sqlite",
    status: "fail",
    message: version === undefined ? "this Node has none" : `version ${version}`,
    advice: `use a Node whose SQLite is ${SQLITE_VERSION_MIN} or later`,
  };
}

export interface FolderFacts {
  readonly path: string;
  readonly exists: boolean;
  /** Names of entries, "." for the folder itself, that others than the owner may enter or read. */
  readonly open: readonly string[];
  readonly isOwn: boolean;
}

export function judgeFolder(facts: FolderFacts): Check {
  const name = "data folder";
  if (!facts.exists) {
    return {
      name,
      status: "warn",
      message: `${facts.path} does not exist`,
      advice: "`mayfly serve` makes it, or name another with --data",
    };
  }
  if (!facts.isOwn) {
    return {
      name,
      status: "fail",
      message: `${facts.path} belongs to another user`,
      advice: "run as the user that runs the server",
    };
  }
  if (facts.open.length > 0) {
    return {
      name,
      status: "fail",
      message: `others may read in ${facts.path}: ${facts.open.join(", ")}`,
      advice: `chmod -R go= ${facts.path}`,
    };
  }
  return { name, status: "ok", message: `${facts.path} is its owner's alone` };
}

export function judgeDisk(freeBytes: number): Check {
  const name = "disk";
  const message = `${(freeBytes / 1024 ** 3).toFixed(1)} GiB free`;
  const advice = "make room, or keep fewer events: a full disk stops every acknowledgement";
  if (freeBytes < DISK_FAIL_BYTES) return { name, status: "fail", message, advice };
  if (freeBytes < DISK_WARN_BYTES) return { name, status: "warn", message, advice };
  return { name, status: "ok", message };
}

/** @param carryAway The folder with the second root's key and its passphrase, where it is still on this machine. */
export function judgeBackupRoot(carryAway: string | undefined): Check {
  const name = "backup root";
  return carryAway === undefined
    ? { name, status: "ok", message: "its key is not on this machine" }
    : {
        name,
        status: "warn",
        message: `its key and its passphrase are still in ${carryAway}`,
        advice:
          "take the two files away, to two places, and delete the folder: the second root must outlive this machine",
      };
}

export function judgeProcess(pid: number | undefined, isAlive: boolean): Check {
  const name = "server";
  if (pid === undefined) {
    return {
      name,
      status: "warn",
      message: "none has written endpoints.json here",
      advice: "start `mayfly serve`",
    };
  }
  return isAlive
    ? { name, status: "ok", message: `running, process ${pid}` }
    : {
        name,
        status: "fail",
        message: `process ${pid} is gone and has left its endpoints.json`,
        advice: "it was killed; start `mayfly serve` again",
      };
}

/** @param answer The body of `/healthz`, which says why only to the server's own machine; any text is taken. */
export function judgeHealth(url: string, status: number, answer: string): Check {
  const name = "health";
  const told = reasonsIn(answer);
  const because = told === "" ? "" : `: ${told}`;
  if (status !== 200) {
    return {
      name,
      status: "fail",
      message: `the server says it is not well (HTTP ${status})${because}`,
      advice: `read ${url} and the server's log`,
    };
  }
  return told === ""
    ? { name, status: "ok", message: "the server says it is well" }
    : {
        name,
        status: "warn",
        message: `the server is well, but in doubt${because}`,
        advice: "read the server's log; `clock_self` is explained in docs/reference/bridge-clock.md",
      };
}

/** Parts that say why, at most {@link REASONS_MAX}. */
function reasonsIn(answer: string): string {
  let found: unknown;
  try {
    found = JSON.parse(answer);
  } catch {
    return "";
  }
  const checks = isRecord(found) && Array.isArray(found["checks"]) ? (found["checks"] as unknown[]) : [];
  return checks
    .flatMap((check) =>
      isRecord(check) && typeof check["because"] === "string" ? `${check["name"]}, ${check["because"]}` : [],
    )
    .slice(0, REASONS_MAX)
    .join("; ");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

export function judgeCertificate(listener: string, secondsLeft: number): Check {
  const name = `${listener} certificate`;
  const advice = "the server renews its own certificate; one of yours has to be replaced by you";
  if (secondsLeft <= 0) {
    return { name, status: "fail", message: `expired ${formatDuration(secondsLeft)} ago`, advice };
  }
  const message = `good for ${formatDuration(secondsLeft)}`;
  return secondsLeft < CERTIFICATE_WARN_SECONDS
    ? { name, status: "warn", message, advice }
    : { name, status: "ok", message };
}

/** @param differenceSeconds The server's clock less this machine's; the server tells whole seconds. */
export function judgeClock(differenceSeconds: number): Check {
  const name = "clock";
  const apart = Math.abs(differenceSeconds);
  const message = `the server's clock is ${apart < 1 ? "less than 1 s" : formatDuration(apart)} from this machine's`;
  const advice = "synchronise both with NTP: tokens are judged by the server's clock";
  if (apart >= CLOCK_FAIL_SECONDS) return { name, status: "fail", message, advice };
  return apart >= CLOCK_WARN_SECONDS
    ? { name, status: "warn", message, advice }
    : { name, status: "ok", message };
}

/** @param secondsLeft Until the online key's delegation ends, 0 or less when it has; undefined where no key is here. */
export function judgeTimeDelegation(secondsLeft: number | undefined): Check {
  const name = "time delegation";
  if (secondsLeft === undefined) {
    return { name, status: "ok", message: "none: this server gives no signed time" };
  }
  const advice = "`mayfly time-key delegate` with a root makes another; the server takes it within a minute";
  if (secondsLeft <= 0) {
    return { name, status: "fail", message: `over since ${formatDuration(secondsLeft)}`, advice };
  }
  const message = `good for ${formatDuration(secondsLeft)}`;
  return secondsLeft < DELEGATION_WARN_SECONDS
    ? { name, status: "warn", message, advice }
    : { name, status: "ok", message };
}

/** @param told What a device that pinned the delegation's root would believe, or why it would not. */
export function judgeSignedTime(
  told:
    | { readonly offsetSeconds: number; readonly uncertaintySeconds: number }
    | { readonly because: string },
): Check {
  const name = "signed time";
  if ("because" in told) {
    return {
      name,
      status: "fail",
      message: `the server gives none: ${told.because}`,
      advice: "see `mayfly time-key show` and the server's log; a key just made is taken within a minute",
    };
  }
  const within = told.uncertaintySeconds.toFixed(1);
  const apart = Math.abs(told.offsetSeconds);
  if (apart <= told.uncertaintySeconds) {
    return { name, status: "ok", message: `believable, and this machine's time within ${within} s` };
  }
  return {
    name,
    status: "warn",
    message: `${formatDuration(apart)} from this machine's clock, and says it is right within ${within} s`,
    advice: "one of the two clocks is wrong: synchronise both with NTP",
  };
}

/** Negative, 0 or positive as `a` is older, the same or newer; parts that are no numbers count as 0. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) =>
    version.split(".").map((part) => Number.parseInt(part, 10) || 0),
  );
  for (let index = 0; index < Math.max(left?.length ?? 0, right?.length ?? 0); index++) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
