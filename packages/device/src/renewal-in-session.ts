/**
 * Renewal in session: the token in an AUTH that waits for its answer, and whether this bridge is worth another.
 *
 * A re-authentication that fails costs the connection. Where it failed twice in a row, the agent makes a new
 * connection for each renewal from then on: that costs a handshake each time, and never a message.
 *
 * Left to others: the AUTH itself (`session/reauthentication.ts`), and what follows a failure (`supervisor.ts`).
 */
import type { Connection } from "./session/connection.ts";
import type { SessionEnd } from "./session/session-report.ts";
import type { DeviceToken } from "./token/token-keeper.ts";

/** From AUTH to its answer, and less where the old token has not that long to live. */
export const authAnswerMillisMax = 10_000;
/** So many failures in a row, and it is not tried any more. */
export const reauthenticationFailuresMax = 2;

export class RenewalInSession {
  #presented: DeviceToken | undefined;
  #failures = 0;

  get isUnderWay(): boolean {
    return this.#presented !== undefined;
  }

  /** Whether a new token is to be given within this connection, now or in a while. */
  isFor(connection: Pick<Connection, "offersReauthentication">): boolean {
    return connection.offersReauthentication && this.#failures < reauthenticationFailuresMax;
  }

  /**
   * @param patienceMillis How long the old token lets us wait.
   * @returns false: not within this connection, or not so soon; nothing was sent.
   */
  begin(
    connection: Pick<Connection, "offersReauthentication" | "mayReauthenticate" | "reauthenticate">,
    token: DeviceToken,
    patienceMillis: number,
  ): boolean {
    if (!this.isFor(connection) || !connection.mayReauthenticate()) return false;
    this.#presented = token;
    connection.reauthenticate(token.text, Math.min(authAnswerMillisMax, patienceMillis));
    return true;
  }

  /** @returns The token in use from now on. */
  accepted(): DeviceToken | undefined {
    const token = this.forget();
    if (token !== undefined) this.#failures = 0;
    return token;
  }

  /** @returns The token, whose worth is unknown. */
  unanswered(): DeviceToken | undefined {
    const token = this.forget();
    if (token !== undefined) this.#failures += 1;
    return token;
  }

  /** The connection ended. @returns The token that was under way, and whether the end was the answer to it. */
  ended(because: SessionEnd): { readonly token: DeviceToken; readonly isRefused: boolean } | undefined {
    const token = this.forget();
    if (token === undefined) return undefined;
    // A network that fails says nothing about the bridge.
    const isRefused = because !== "link_closed" && because !== "ping_timeout" && because !== "puback_timeout";
    if (isRefused) this.#failures += 1;
    return { token, isRefused };
  }

  /** Whatever comes of it is of no interest any more. */
  forget(): DeviceToken | undefined {
    const token = this.#presented;
    this.#presented = undefined;
    return token;
  }
}
