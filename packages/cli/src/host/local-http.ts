/**
 * One request to a service of ours over its Unix socket.
 */
import { request } from "node:http";
import { CommandFailure } from "../failure.ts";

const answerMillisMax = 10_000;
const answerBytesMax = 1024 * 1024;

/** @returns The body of a 200. @throws {CommandFailure} (rejects) server_unreachable, server_answer */
export async function getOverSocket(socketPath: string, path: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const fail = (code: "server_unreachable" | "server_answer", message: string, cause?: unknown): void =>
      reject(new CommandFailure(code, message, { cause }));
    const sent = request({ socketPath, path, timeout: answerMillisMax }, (answer) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      answer.on("data", (part: Buffer) => {
        bytes += part.length;
        if (bytes > answerBytesMax) sent.destroy();
        else parts.push(part);
      });
      answer.on("error", (cause) => fail("server_answer", "the agent's answer broke off", cause));
      answer.on("end", () => {
        if (answer.statusCode === 200) resolve(Buffer.concat(parts).toString("utf8"));
        else fail("server_answer", `the agent answered ${answer.statusCode ?? "nothing"}`);
      });
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer in time")));
    sent.on("error", (cause: NodeJS.ErrnoException) =>
      fail("server_unreachable", sentenceOf(cause, socketPath), cause),
    );
    sent.end();
  });
}

function sentenceOf(cause: NodeJS.ErrnoException, socketPath: string): string {
  if (cause.code === "ENOENT" || cause.code === "ECONNREFUSED") {
    return `no agent runs at ${socketPath}; start it with mayfly agent --config FILE`;
  }
  if (cause.code === "EACCES") return `you may not speak to the agent at ${socketPath}`;
  return `the agent at ${socketPath} does not answer: ${cause.message}`;
}
