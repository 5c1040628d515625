/**
 * Time servers on loopback: a chronyd of our own, and servers that a test writes, honest or not.
 */
import { spawn } from "node:child_process";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { requireService } from "../../../../tools/services.ts";
import type { DatagramPeer } from "../../src/time/datagram-exchange.ts";

/** @param reply From the address that was asked. `count`: which question this is, from 1. */
export type Answer = (
  request: Buffer,
  reply: (bytes: Uint8Array) => void,
  about: { readonly count: number; readonly from: RemoteInfo },
) => void;

/** Binds a free UDP port of 127.0.0.1, until the test ends. */
export async function bindLoopback(t: TestContext): Promise<Socket> {
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

export async function startAnswering(t: TestContext, answer: Answer): Promise<DatagramPeer> {
  const socket = await bindLoopback(t);
  let count = 0;
  socket.on("message", (request, from) => {
    count += 1;
    answer(request, (bytes) => socket.send(bytes, from.port, from.address), { count, from });
  });
  return { host: "127.0.0.1", port: socket.address().port };
}

/** A port that was free a moment ago. */
async function findFreePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

/**
 * Starts a chronyd that touches no clock (`-x`), as the user of the test.
 *
 * @param lines Of its configuration: `local stratum 3` makes it take its own clock for right.
 */
export async function startChronyd(t: TestContext, ...lines: readonly string[]): Promise<DatagramPeer> {
  requireService(t, "chronyd");
  const folder = mkdtempSync(join(tmpdir(), "mayfly-sntp-"));
  chmodSync(folder, 0o700); // chronyd makes its socket nowhere else
  const port = await findFreePort();
  const socket = join(folder, "chronyd.sock");
  const configuration = join(folder, "chrony.conf");
  const base = [
    `port ${port}`,
    "bindaddress 127.0.0.1",
    "allow 127.0.0.1",
    "cmdport 0",
    `bindcmdaddress ${socket}`,
    `pidfile ${join(folder, "pid")}`,
  ];
  writeFileSync(configuration, `${[...base, ...lines].join("\n")}\n`);
  const daemon = spawn("chronyd", ["-x", "-U", "-u", userInfo().username, "-d", "-f", configuration], {
    stdio: "ignore",
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` },
  });
  t.after(() => {
    daemon.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });
  while (!existsSync(socket)) {
    if (daemon.exitCode !== null) throw new Error(`chronyd ended with ${daemon.exitCode}`);
    await wait(20);
  }
  return { host: "127.0.0.1", port };
}
