/**
 * SIGINT, SIGTERM and SIGHUP as one abort: a command that runs on is asked to end once.
 */

/** Fires at the first SIGINT, SIGTERM or SIGHUP; the same signal once more ends the process at once, with 130. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let first: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (first === signal) process.exit(130);
    first ??= signal;
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
