/**
 * The kernel is the witness: strace sees the event file synchronised before each PUBACK leaves.
 *
 * One client publishes one message at a time, so after CONNACK every write on its socket is one PUBACK, and an
 * fsync or fdatasync of an event file must have *returned* between any two of them.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import mqtt from "mqtt";
import { requireService } from "../../tools/services.ts";
import { BridgeProcess, clientIdentifier } from "./bridge-process.ts";

const messages = 50;

test("strace sees an event file synchronised to disk before each PUBACK leaves", async (t) => {
  requireService(t, "strace");
  const bridge = new BridgeProcess();
  t.after(() => bridge.end());
  const trace = join(bridge.folder, "trace.txt");
  await bridge.start([
    "strace",
    "-f",
    "-ttt",
    "-yy",
    "-o",
    trace,
    "-e",
    "trace=fsync,fdatasync,write,writev,sendto,sendmsg",
    "-e",
    "signal=none",
    "-s",
    "0",
  ]);
  await bridge.createRegistry();
  const token = await bridge.mintToken("witness", await bridge.createDevice("witness"));
  const client = await mqtt.connectAsync(`mqtts://localhost:${bridge.port}`, {
    clientId: clientIdentifier("witness"),
    username: "unused",
    password: token,
    ca: readFileSync(bridge.endpoints.ca),
    reconnectPeriod: 0,
    keepalive: 0,
  });
  const clientPort = (client.stream as unknown as { localPort: number }).localPort;

  // CONNACK and session tickets have arrived by now: what the kernel writes on this socket from here on is PUBACKs.
  const since = Date.now() / 1000;

  for (let index = 0; index < messages; index += 1) {
    await client.publishAsync("/devices/witness/events", `message ${index}`, { qos: 1 });
  }
  client.end(true);
  await bridge.stop("SIGTERM");

  const events = readTrace(readFileSync(trace, "utf8"), clientPort, since);
  let pubacks = 0;
  let synchronised = false;
  for (const event of events) {
    if (event === "event file synchronised") {
      synchronised = true;
      continue;
    }
    pubacks += 1;
    assert.ok(synchronised, `PUBACK ${pubacks} left before an event file was synchronised`);
    if (pubacks === messages) break;
    synchronised = false;
  }
  assert.equal(pubacks, messages);
});

type TraceEvent = "event file synchronised" | "socket write";

/** strace writes a call that another thread interrupts as `… <unfinished ...>` and `<... fdatasync resumed>`: what counts is where it returned. */
function readTrace(text: string, clientPort: number, since: number): TraceEvent[] {
  const events: TraceEvent[] = [];
  const waiting = new Map<string, boolean>();
  for (const line of text.split("\n")) {
    const [thread = "", at = ""] = line.trim().split(/ +/, 2);
    if (Number(at) < since) continue;
    if (/ f(data)?sync\(/.test(line)) {
      const ofEvents = /f(data)?sync\(\d+<[^>]*event[^>]*>/.test(line);
      if (line.includes("<unfinished")) waiting.set(thread, ofEvents);
      else if (ofEvents && / = 0$/.test(line)) events.push("event file synchronised");
    } else if (/<\.\.\. f(data)?sync resumed>/.test(line)) {
      if (waiting.get(thread) === true && / = 0$/.test(line)) events.push("event file synchronised");
      waiting.delete(thread);
    } else if (
      / (write|writev|sendto|sendmsg)\(/.test(line) &&
      new RegExp(`<TCP(v6)?:\\[.*:${clientPort}\\]`).test(line)
    ) {
      events.push("socket write");
    }
  }
  return events;
}
