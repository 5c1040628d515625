import assert from "node:assert/strict";
import { test } from "node:test";
import { systemTimers } from "../../host/system-ports.ts";
import { RESTARTS_MAX, WriterThread } from "./writer-thread.ts";

const script = (code: string): URL => new URL(`data:text/javascript,${encodeURIComponent(code)}`);
const READY = `import { parentPort } from "node:worker_threads"; parentPort.postMessage({ kind: "ready" });`;
/** No waiting between restarts. */
const timers = { after: (_delay: number, run: () => void) => systemTimers.after(0, run) };

test("a thread that dies is told and started again", async () => {
  const code = `${READY} parentPort.on("message", ({ kind, request }) => {
    if (kind === "close") parentPort.close();
    else if (request === "die") throw new Error("out of sorts");
    else parentPort.postMessage({ kind: "reply", reply: request });
  });`;
  const told: string[] = [];
  const replied = new Promise<string>((resolve) => {
    const thread: WriterThread<string, string> = new WriterThread<string, string>({
      name: "the writer",
      script: script(code),
      workerData: undefined,
      timers,
      reply: (reply) => void thread.close().then(() => resolve(reply)),
      down: (because) => told.push(because),
      up: () => thread.post("well again"),
    });
    void thread.start().then(() => thread.post("die"));
  });

  assert.equal(await replied, "well again");
  assert.deepEqual(told, ["the writer ended: out of sorts"]);
});

test("a thread that can't stay up is given up after a stated number of restarts", async () => {
  const down: boolean[] = [];
  await new Promise<void>((resolve) => {
    const thread = new WriterThread<string, string>({
      name: "the writer",
      script: script(READY),
      workerData: undefined,
      timers,
      reply: () => undefined,
      down: (_because, isFinal) => {
        down.push(isFinal);
        if (isFinal) resolve();
      },
      up: () => undefined,
    });
    void thread.start();
  });

  assert.equal(down.length, RESTARTS_MAX + 1);
  assert.deepEqual(
    down.filter((isFinal) => isFinal),
    [true],
  );
});
