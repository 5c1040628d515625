/**
 * SIGINT, SIGTERM and SIGHUP as one abort: a command that runs on is asked to end once.
 */

/**
 * One request to end may arrive more than once: a terminal or `timeout` signals the whole group, and a parent that
 * was signalled too passes it on.
 */
const repeatMillis = 1_000;

/** Fires at the first SIGINT, SIGTERM or SIGHUP; the same signal again, a second later or more, ends the process at once, with 130. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let first: { readonly signal: NodeJS.Signals; readonly atMillis: number } | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const atMillis = performance.now();
    if (first?.signal === signal && atMillis - first.atMillis >= repeatMillis) process.exit(130);
    first ??= { signal, atMillis };
    controller.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  return controller.signal;
}

/** Fires when standard input ends: whoever started this process has gone, however it went. */
export function standardInputEnd(): AbortSignal {
  const controller = new AbortController();
  process.stdin.on("end", () => controller.abort());
  process.stdin.on("error", () => controller.abort());
  process.stdin.resume();
  // Watching must not keep the process alive by itself.
  if ("unref" in process.stdin && typeof process.stdin.unref === "function") process.stdin.unref();
  return controller.signal;
}

/** Fires with the first of them. */
export function anyAbort(...signals: readonly AbortSignal[]): AbortSignal {
  return AbortSignal.any([...signals]);
}

/** Fires after `millis`, at most 2^31 - 1; does not keep the process alive by itself. */
export function abortAfter(millis: number): AbortSignal {
  return AbortSignal.timeout(millis);
}
