/**
 * How a CONNECT carries its token: by our Authentication Method, which can be renewed in session, or as the
 * Password, which every bridge takes.
 *
 * The method first. 0x8C settles that the bridge does not know it. 0x87 may mean that as well, or the token: until
 * either form has been accepted, refusals of that kind make us try the other, the first time at once. What was
 * settled stays so for as long as the agent lives: it has one bridge.
 *
 * Left to others: MQTT 3.1.1, which has the Password alone.
 */
import { reasonCode } from "@mayfly/core/mqtt";

export type AuthenticationFormName = "method" | "password";

export class AuthenticationForm {
  #name: AuthenticationFormName;
  #isSettled: boolean;
  #hasTriedBoth = false;

  constructor(protocolVersion: 4 | 5) {
    this.#name = protocolVersion === 5 ? "method" : "password";
    this.#isSettled = protocolVersion === 4;
  }

  /** For the next CONNECT. */
  get name(): AuthenticationFormName {
    return this.#name;
  }

  accepted(): void {
    this.#isSettled = true;
  }

  /** A CONNECT of the present form was refused. @returns Whether the same token is worth another try at once. */
  refused(code: number): boolean {
    if (this.#name === "method" && code === reasonCode.badAuthenticationMethod) {
      this.#name = "password";
      this.#isSettled = true;
      return true;
    }
    if (this.#isSettled || code !== reasonCode.notAuthorized) return false;
    this.#name = this.#name === "method" ? "password" : "method";
    const isFirst = !this.#hasTriedBoth;
    this.#hasTriedBoth = true;
    return isFirst;
  }
}
