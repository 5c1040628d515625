/**
 * The other end of `writer-thread.ts`: how a writer script says it is ready and answers requests.
 */
import { parentPort } from "node:worker_threads";
import { storeErrorOf } from "./database.ts";
import type { FromWriter, ToWriter } from "./writer-thread.ts";

export interface Writer<Request, Reply> {
  readonly facts: unknown;
  /** Answers by calling `reply` once; may go on working afterwards (checkpoints) before the next request. */
  handle(request: Request, reply: (reply: Reply, transfer?: readonly ArrayBuffer[]) => void): void;
  close(): void;
}

/** Runs a writer until it is told to close. What `open` throws is reported, and the thread ends. */
export function runWriter<Request, Reply>(doing: string, open: () => Writer<Request, Reply>): void {
  const port = parentPort;
  if (port === null) throw new Error("a writer runs in a worker thread only");
  const send = (message: FromWriter<Reply>, transfer: readonly ArrayBuffer[] = []): void =>
    port.postMessage(message, [...transfer]);

  let writer: Writer<Request, Reply>;
  try {
    writer = open();
  } catch (cause) {
    const { code, message } = storeErrorOf(cause, doing);
    send({ kind: "unable", code, message });
    return;
  }
  port.on("message", (message: ToWriter<Request>) => {
    if (message.kind === "request") {
      writer.handle(message.request, (reply, transfer) => send({ kind: "reply", reply }, transfer));
      return;
    }
    port.close();
    writer.close();
  });
  send({ kind: "ready", facts: writer.facts });
}
