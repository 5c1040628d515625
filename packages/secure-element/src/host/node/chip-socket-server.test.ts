import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";

import { bytesOf, group, hexOf, testChip } from "../../../test/sim-host.ts";
import { createChipSim } from "../../sim/chip-sim.ts";
import { saveChipImage } from "./chip-image-file.ts";
import type { ChipSocketServerOptions } from "./chip-socket-server.ts";
import { CLIENTS_WAITING_MAX, startChipSocketServer } from "./chip-socket-server.ts";
import { nodeSimCrypto } from "./sim-crypto.ts";

/** A host that speaks the protocol byte by byte. */
class Host {
  readonly socket: Socket;
  #buffer = Buffer.alloc(0);
  #wanted: { readonly size: number; readonly give: (bytes: Buffer) => void } | undefined;
  readonly closed: Promise<void>;

  constructor(address: string) {
    const [host, port] = address.split(":");
    this.socket = address.startsWith("/") ? connect(address) : connect(Number(port), host);
    this.socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.on("close", () => {
        resolve();
      });
    });
    this.socket.on("data", (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#serve();
    });
  }

  async frame(
    type: string,
    addr8: number,
    length: number,
    payload: Uint8Array = new Uint8Array(0),
  ): Promise<string> {
    this.socket.write(Buffer.of(type.charCodeAt(0), addr8, length >> 8, length & 0xff, ...payload));
    const head = await this.#take(3);
    const body = await this.#take(head.readUInt16BE(1));
    return `${head[0] === 0 ? "ACK" : "NACK"} ${hexOf(body)}`.trim();
  }

  async write(bytes: Uint8Array, addr8 = 0xc0): Promise<string> {
    return this.frame("W", addr8, bytes.length, bytes);
  }

  async number(type: "D" | "B", value: number): Promise<string> {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(value);
    return this.frame(type, 0, 4, payload);
  }

  async #take(size: number): Promise<Buffer> {
    return new Promise((give) => {
      this.#wanted = { size, give };
      this.#serve();
    });
  }

  #serve(): void {
    const wanted = this.#wanted;
    if (wanted === undefined || this.#buffer.length < wanted.size) return;
    this.#wanted = undefined;
    const taken = this.#buffer.subarray(0, wanted.size);
    this.#buffer = this.#buffer.subarray(wanted.size);
    wanted.give(taken);
  }
}

async function serve(t: TestContext, options: Partial<ChipSocketServerOptions> = {}): Promise<() => Host> {
  const server = await startChipSocketServer({
    sim: testChip(),
    listen: { host: "127.0.0.1", port: 0 },
    ...options,
  });
  const hosts: Host[] = [];
  t.after(async () => {
    for (const host of hosts) host.socket.destroy();
    await server.close();
  });
  return () => {
    const host = new Host(server.address);
    hosts.push(host);
    return host;
  };
}

const temporaryFolder = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), "chip-sim-"));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
};

test("the vendor library's sequence works: wake by 01 to address 0, poll by rewind, read 1, read the rest, idle", async (t) => {
  const host = (await serve(t))();

  const log = [
    await host.write(bytesOf("01"), 0x00),
    await host.number("D", 1_500),
    await host.frame("R", 0xc0, 4),
    await host.write(group(0x1b, 0x00, 0)),
    await host.number("D", 1_000),
    await host.write(bytesOf("00")),
    await host.number("D", 20_000),
    await host.write(bytesOf("00")),
    await host.frame("R", 0xc1, 1),
    (await host.frame("R", 0xc1, 34)).slice(0, 3),
    await host.write(bytesOf("02")),
    await host.write(bytesOf("00")),
  ];

  assert.deepEqual(log, [
    "NACK",
    "ACK",
    "ACK 04113343",
    "ACK",
    "ACK",
    "NACK",
    "ACK",
    "ACK",
    "ACK 23",
    "ACK",
    "ACK",
    "NACK",
  ]);
});

test("a bus set to 400 kHz cannot wake the chip, one set back to 100 kHz can", async (t) => {
  const host = (await serve(t))();
  await host.number("B", 400_000);
  await host.write(bytesOf("00"), 0x00);
  await host.number("D", 2_000);

  const fast = await host.frame("R", 0xc0, 4);
  await host.number("B", 100_000);
  await host.write(bytesOf("00"), 0x00);
  await host.number("D", 2_000);

  assert.deepEqual([fast, await host.frame("R", 0xc0, 4)], ["NACK", "ACK 04113343"]);
});

test("frames that arrive byte by byte, or two at once, are answered in order", async (t) => {
  const host = (await serve(t))();
  for (const byte of bytesOf("57 00 00 01 01 44 00 00 04 00 00 05 DC")) host.socket.write(Buffer.of(byte));

  const second = await host.frame("R", 0xc0, 4);

  // The first two answers are still to be read: NACK for the wake write, ACK for the delay.
  assert.equal(second, "NACK");
});

test("in real time a busy chip is busy for as long as silicon, and a delay takes its time", async (t) => {
  const host = (await serve(t, { realTime: true }))();
  await host.write(bytesOf("01"), 0x00);
  await host.number("D", 1_500);
  const start = process.hrtime.bigint();

  await host.write(group(0x1b, 0x00, 0));
  const busy = await host.write(bytesOf("00"));
  await host.number("D", 20_000);
  const millis = Number(process.hrtime.bigint() - start) / 1e6;

  assert.deepEqual([busy, await host.write(bytesOf("00"))], ["NACK", "ACK"]);
  assert.ok(millis >= 19, `took ${String(millis)} ms`);
});

for (const [what, bytes] of [
  ["an unknown type", "58 C0 00 00"],
  ["a read of nothing", "52 C0 00 00"],
  ["a read of 65535 bytes", "52 C0 FF FF"],
  ["a write of more than 1024 bytes", "57 C0 04 01"],
  ["a delay of three bytes", "44 00 00 03 00 00 00"],
  ["a delay of more than an hour", "44 00 00 04 FF FF FF FF"],
  ["a bus speed of zero", "42 00 00 04 00 00 00 00"],
] as const) {
  test(`${what} closes the connection, and the chip serves the next host`, async (t) => {
    const open = await serve(t);
    const rude = open();

    rude.socket.write(bytesOf(bytes));
    await rude.closed;

    assert.equal(await open().number("D", 1), "ACK");
  });
}

test("a second host waits its turn and finds the chip as the first one left it", async (t) => {
  const open = await serve(t);
  const first = open();
  await first.write(bytesOf("01"), 0x00);
  const second = open();
  const waiting = second.frame("R", 0xc0, 4);

  await first.number("D", 1_500);
  first.socket.end();

  assert.equal(await waiting, "ACK 04113343");
});

test("hosts beyond the waiting room are turned away", async (t) => {
  const open = await serve(t);
  const first = open();
  await first.number("D", 1);
  const waiting = Array.from({ length: CLIENTS_WAITING_MAX }, open);
  await Promise.all(
    waiting.map(async (host) => new Promise((resolve) => host.socket.once("connect", resolve))),
  );

  const late = open();
  await late.closed;

  assert.equal(await first.number("D", 1), "ACK");
});

test("a path serves its owner alone, and trace lines tell each frame", async (t) => {
  const path = join(temporaryFolder(t), "chip.sock");
  const lines: string[] = [];
  const host = (await serve(t, { listen: path, trace: (line) => lines.push(line) }))();

  await host.write(bytesOf("01"), 0x00);
  await host.number("D", 1_500);
  await host.frame("R", 0xc0, 4);

  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(lines, ["0.200 ms W@00 01 NACK", "1.700 ms D 1500", "2.170 ms R@C0 4 04 11 33 43"]);
});

test("the image is saved for its owner when a command has changed EEPROM", async (t) => {
  const file = join(temporaryFolder(t), "chip.image");
  const sim = createChipSim({ crypto: nodeSimCrypto(), seed: 3 });
  saveChipImage(file, sim.image());
  const host = (await serve(t, { sim, imageFile: file }))();
  await host.write(bytesOf("01"), 0x00);
  await host.number("D", 1_500);

  await host.write(group(0x17, 0x80, 0));
  await host.number("D", 40_000);

  const saved = Uint8Array.from(readFileSync(file));
  assert.deepEqual([saved[9 + 87], statSync(file).mode & 0o777], [0x00, 0o600]);
  assert.deepEqual(saved, sim.image());
});
