/**
 * Handler run: one call of the application's code, and its verdict within a time limit.
 *
 * A handler that never answers would keep its message, and the bridge's window, for ever. So the limit makes a failure
 * of it; what the handler says afterwards is passed over.
 */
import type { CancelTimer, Timers } from "@mayfly/core";

export type Verdict = "taken" | { readonly failed: string };

/**
 * @param handler Absent: the message counts as taken.
 * @param settle Told exactly once: `failed` with the class of what was thrown, or `no answer in 30 s`.
 */
export function runHandler(
  timers: Timers,
  handler: () => void | Promise<void>,
  secondsMax: number,
  settle: (verdict: Verdict) => void,
): void {
  let handled: void | Promise<void>;
  try {
    handled = handler();
  } catch (error) {
    settle(failureOf(error));
    return;
  }
  if (handled === undefined) {
    settle("taken");
    return;
  }
  let cancel: CancelTimer | undefined;
  const finish = (verdict: Verdict): void => {
    if (cancel === undefined) return;
    cancel();
    cancel = undefined;
    settle(verdict);
  };
  cancel = timers.after(secondsMax * 1_000, () => finish({ failed: `no answer in ${secondsMax} s` }));
  handled.then(
    () => finish("taken"),
    (error: unknown) => finish(failureOf(error)),
  );
}

function failureOf(error: unknown): Verdict {
  return { failed: error instanceof Error ? error.name : "threw" };
}
