import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8Encode } from "@mayfly/core";
import { Downlink } from "./downlink.ts";
import { DownlinkReceipt } from "./session/downlink-acknowledgements.ts";
import { wireDefaults } from "./session/wire-settings.ts";
import type { AgentEvent } from "./status.ts";

/** A downlink whose command handlers answer by hand. */
function arrange(receiveMaximum: number) {
  const finish: (() => void)[] = [];
  const events: AgentEvent[] = [];
  const downlink = new Downlink(
    { sha256: { digest: () => new Uint8Array(32) }, timers: { after: () => () => {} } },
    { handlerSecondsMax: 30, wire: { ...wireDefaults, receiveMaximum } },
    { command: () => new Promise<void>((resolve) => finish.push(resolve)) },
    () => {},
    (event) => events.push(event),
  );
  const command = { kind: "command", payload: utf8Encode("blink"), subfolder: "" } as const;
  return { downlink, finish, events, command };
}

test("a command of QoS 0 above the bound is dropped and told, and there is room once a handler has answered", async () => {
  const { downlink, finish, events, command } = arrange(2);
  const take = (): void => downlink.take({ ...command, receipt: undefined }, () => {});
  for (let i = 0; i < 3; i++) take();
  const early = [finish.length, events.length];

  finish[0]?.();
  await new Promise((done) => setImmediate(done));
  take();

  assert.deepEqual(early, [2, 1]);
  assert.deepEqual(events, [{ kind: "command_dropped" }]);
  assert.equal(finish.length, 3);
});

test("commands of QoS 1 are not bounded here: the Receive Maximum holds them", () => {
  const { downlink, finish, events, command } = arrange(1);

  for (let i = 1; i <= 3; i++) downlink.take({ ...command, receipt: new DownlinkReceipt(i) }, () => {});

  assert.deepEqual([finish.length, events], [3, []]);
});
