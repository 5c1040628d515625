/**
 * Downlink: a config or a command on its way to the application's handler, and the handler's verdict on its way back.
 *
 * Left to others: the PUBACK that follows (`session/downlink-acknowledgements.ts`).
 */
import type { SessionReport } from "./session/session-report.ts";

export interface AgentHandlers {
  /** The device's config; acknowledged (PUBACK) once this returns or resolves. */
  readonly config?: (payload: Uint8Array) => void | Promise<void>;
  /** A command; acknowledged likewise. */
  readonly command?: (payload: Uint8Array, subfolder: string) => void | Promise<void>;
}

/**
 * Hands one message over. A message without a handler counts as taken.
 *
 * @param settle Told once: `failed` when the handler threw or rejected, with the error's class.
 */
export function deliver(
  handlers: AgentHandlers,
  message: Extract<SessionReport, { kind: "config" | "command" }>,
  settle: (verdict: "taken" | { readonly failed: string }) => void,
): void {
  const { kind, payload, subfolder } = message;
  const fail = (error: unknown): void => settle({ failed: error instanceof Error ? error.name : "threw" });
  let handled: void | Promise<void>;
  try {
    handled = kind === "config" ? handlers.config?.(payload) : handlers.command?.(payload, subfolder);
  } catch (error) {
    fail(error);
    return;
  }
  if (handled === undefined) settle("taken");
  else handled.then(() => settle("taken"), fail);
}
