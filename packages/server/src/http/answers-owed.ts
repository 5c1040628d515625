/**
 * Which answers a connection is still owed, for the moment its bytes stop being HTTP.
 *
 * The parser runs ahead of the answers. Firmware sends stray bytes behind a good request; a 400 at once would be read
 * as the answer to that request, whose message is stored, and the device would take it for refused. So the good ones
 * are answered first, and then the connection is told and ended.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

export class AnswersOwed {
  readonly #owed = new WeakMap<object, Set<ServerResponse>>();

  /** A request arrived, whole or in part. */
  note({ socket }: Pick<IncomingMessage, "socket">, response: ServerResponse): void {
    const responses = this.#owed.get(socket) ?? new Set();
    this.#owed.set(socket, responses.add(response));
    response.once("close", () => responses.delete(response));
  }

  /** Calls `then` once every request that arrived whole is answered; at once where none waits. */
  whenAnswered(socket: Duplex, then: () => void): void {
    // One that is not whole is the malformed one: nobody will answer it.
    const last = [...(this.#owed.get(socket) ?? [])].filter(({ req }) => req.complete).at(-1);
    if (last === undefined) then();
    else last.once("close", then);
  }
}
