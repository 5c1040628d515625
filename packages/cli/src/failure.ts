/**
 * Failures of a command: one clear sentence for people, a stable code for programs, an exit code for shells.
 *
 * Everything that goes wrong in a command ends here; `main` prints it once and sets the exit code.
 */
import { AdminApiError } from "@mayfly/core/admin";

/** Exit codes: the whole list, as `docs/reference/cli.md` promises them. */
export const exitCodes = { ok: 0, failure: 1, usage: 2 } as const;

export type FailureCode =
  | "usage"
  | "file_unreadable"
  | "file_unwritable"
  | "key_unusable"
  | "token_refused"
  | "settings_invalid"
  | "not_configured"
  | "in_use"
  | "server_unreachable"
  | "server_untrusted"
  | "server_answer"
  | "server_start"
  | "agent_refused"
  | "chip_refused"
  | "lock_not_agreed"
  | "demo_failed"
  | "messages_lost"
  | "check_failed";

/** A command cannot do what it was asked. The message never holds a token, a key or a signature. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get exitCode(): number {
    return this.code === "usage" ? exitCodes.usage : exitCodes.failure;
  }
}

/** What any thrown value means to the one who typed the command. */
export function describeFailure(error: unknown): {
  readonly code: string;
  readonly message: string;
  readonly exitCode: number;
} {
  if (error instanceof CommandFailure) return error;
  if (error instanceof AdminApiError) {
    return { code: error.status.toLowerCase(), message: error.message, exitCode: exitCodes.failure };
  }
  // The typed errors of the other packages carry a code of a closed set; everything else is a bug of ours.
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  return { code: code ?? "internal", message, exitCode: exitCodes.failure };
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
