/**
 * The kernel is the witness: strace sees each message written to a segment of the outbox, and that segment synchronised
 * after it, before the agent's program says that the message is durable.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { requireService } from "../../tools/services.ts";
import { startBridge } from "./bridge-process.ts";
import { OutboxProcess, orderOf } from "./outbox-process.ts";

const messages = 40;

test("strace sees an outbox segment synchronised after each message was written and before it is said to be durable", async (t) => {
  requireService(t, "strace");
  const bridge = await startBridge(t);
  const keyFile = await bridge.createDevice("witness");
  const trace = join(bridge.folder, "agent-trace.txt");
  const order = orderOf(bridge, "witness", keyFile, join(bridge.folder, "outbox"));
  const agent = new OutboxProcess(
    {
      ...order,
      protocolVersion: 5,
      envelope: false,
      task: { publishEveryMillis: 50, burst: 2, name: "message" },
    },
    ["strace", "-f", "-yy", "-s", "4096", "-o", trace, "-e", "signal=none"].concat([
      "-e",
      "trace=fsync,fdatasync,pwrite64,write",
    ]),
  );
  t.after(() => agent.kill());

  await agent.until("durable", messages, 60_000);
  await agent.kill();

  let told = 0;
  const written = new Set<string>();
  const synchronised = new Set<string>();
  /** By thread: what was written when its synchronisation began. */
  const begun = new Map<string, readonly string[]>();
  const returned = (thread: string): void => {
    for (const name of begun.get(thread) ?? []) synchronised.add(name);
    begun.delete(thread);
  };
  for (const line of readFileSync(trace, "utf8").split("\n")) {
    const [thread = ""] = line.split(" ", 1);
    // A call that another thread's line interrupts is shown whole where it begins, but for its result.
    if (/ pwrite64\(\d+<[^>]*\.segment/.test(line)) {
      for (const [name] of line.matchAll(/message-\d+/g)) written.add(name);
    } else if (/ f(data)?sync\(\d+<[^>]*\.segment/.test(line)) {
      begun.set(thread, [...written]);
      if (/ = 0$/.test(line)) returned(thread);
    } else if (/<\.\.\. f(data)?sync resumed>.* = 0$/.test(line)) {
      returned(thread);
    } else {
      const name = / write\(1<.*"durable (message-\d+)/.exec(line)?.[1];
      if (name === undefined) continue;
      told += 1;
      assert.ok(synchronised.has(name), `${name} was called durable before it was synchronised`);
    }
  }
  assert.ok(told >= messages, `${told} were called durable`);
});
