/**
 * How a CONNECT carries its token: by our Authentication Method, which can be renewed in session, or as the
 * Password, which every bridge takes.
 *
 * The method first. 0x8C settles that the bridge does not know it. 0x87 may mean that as well, or the token: until
 * either form has been accepted, refusals of that kind make us try the other, the first time at once. What was
 * settled stays so for as long as the agent lives: it has one bridge.
 *
 * Left to others: MQTT 3.1.1, which has the Password alone; refusals that show our own bridge, which knows the method
 * (`supervisor.ts`); and what outlives a restart (`remembered-form.ts`).
 */
import type { NumericDate } from "@mayfly/core";
import { reasonCode } from "@mayfly/core/mqtt";
import type { RememberedForm } from "./remembered-form.ts";

export type AuthenticationFormName = "method" | "password";

export class AuthenticationForm {
  #name: AuthenticationFormName;
  #isSettled: boolean;
  #hasTriedBoth = false;

  readonly #memory: RememberedForm | undefined;
  #isMemoryAsked = false;

  /** @param memory Where what is learned may outlive a restart. */
  constructor(protocolVersion: 4 | 5, memory?: RememberedForm) {
    this.#memory = memory;
    this.#name = protocolVersion === 5 ? "method" : "password";
    this.#isSettled = protocolVersion === 4;
  }

  /** For the next CONNECT. */
  get name(): AuthenticationFormName {
    return this.#name;
  }

  /** Before the first CONNECT, when there is a token to tell what day it is: what this bridge took of late. */
  recall(now: NumericDate): void {
    if (this.#isMemoryAsked) return;
    this.#isMemoryAsked = true;
    const remembered = this.#memory?.recall(now);
    if (remembered === undefined) return;
    this.#name = remembered;
    this.#isSettled = true;
  }

  accepted(now: NumericDate): void {
    this.#isSettled = true;
    this.#memory?.learn(this.#name, now);
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
