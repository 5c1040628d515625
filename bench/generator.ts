/**
 * The load generator: one process, one job a line on stdin, one result a line on stdout.
 *
 * It speaks raw MQTT 3.1.1 over TLS 1.3 and knows nothing of the server behind the port, so that every server
 * of a benchmark meets the same client. Packets and tokens are made before the clock starts.
 */
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { connect, type TLSSocket } from "node:tls";

export interface Target {
  readonly port: number;
  readonly caFile: string;
  readonly project: string;
  readonly devices: readonly {
    readonly id: string;
    readonly clientIdentifier: string;
    readonly keyPem: string;
  }[];
}

export type Job =
  | { readonly kind: "connect"; readonly target: Target; readonly count: number; readonly inFlight: number }
  | {
      readonly kind: "publish";
      readonly target: Target;
      readonly connections: number;
      readonly window: number;
      readonly seconds: number;
      readonly payloadBytes: number;
    }
  | {
      readonly kind: "paced";
      readonly target: Target;
      readonly connections: number;
      readonly perSecond: number;
      readonly seconds: number;
      readonly payloadBytes: number;
    }
  | { readonly kind: "hold"; readonly target: Target; readonly connections: number }
  | { readonly kind: "release" };

export interface JobResult {
  readonly operations: number;
  readonly seconds: number;
  readonly failed: number;
  readonly p50Millis?: number;
  readonly p99Millis?: number;
}

const keys = new Map<string, KeyObject>();
const authorities = new Map<string, string>();
let held: TLSSocket[] = [];
let serial = 0;

function mintToken(target: Target, keyPem: string): string {
  let key = keys.get(keyPem);
  if (key === undefined) {
    key = createPrivateKey(keyPem);
    keys.set(keyPem, key);
  }
  const now = Math.floor(Date.now() / 1000);
  serial += 1;
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  // Distinct tokens: each has its own iat within the last hour.
  const iat = now - (serial % 600);
  const input = `${part({ alg: "ES256", typ: "JWT" })}.${part({ aud: target.project, iat, exp: iat + 3600 })}`;
  const signature = sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}

function remainingLength(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? digit | 0x80 : digit);
  } while (rest > 0);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

function connectPacket(target: Target, index: number): Buffer {
  const device = target.devices[index % target.devices.length];
  if (device === undefined) throw new Error("a target without devices");
  const body = Buffer.concat([
    text("MQTT"),
    Buffer.from([4, 0b1100_0010, 0, 120]),
    text(device.clientIdentifier),
    text("unused"),
    text(mintToken(target, device.keyPem)),
  ]);
  return Buffer.concat([Buffer.from([0x10, ...remainingLength(body.length)]), body]);
}

function publishPacket(topic: string, payloadBytes: number): Buffer {
  const body = Buffer.concat([text(topic), Buffer.from([0, 1]), Buffer.alloc(payloadBytes, 0x61)]);
  return Buffer.concat([Buffer.from([0x32, ...remainingLength(body.length)]), body]);
}

function dial(target: Target): TLSSocket {
  let ca = authorities.get(target.caFile);
  if (ca === undefined) {
    ca = readFileSync(target.caFile, "utf8");
    authorities.set(target.caFile, ca);
  }
  const socket = connect({
    host: "127.0.0.1",
    port: target.port,
    servername: "localhost",
    ca,
    minVersion: "TLSv1.3",
    ecdhCurve: "X25519",
  });
  socket.setNoDelay(true);
  return socket;
}

async function runConnects(job: Extract<Job, { kind: "connect" }>): Promise<JobResult> {
  const packets = Array.from({ length: job.count }, (_, index) => connectPacket(job.target, index));
  const latencies: number[] = [];
  let failed = 0;
  let next = 0;
  const start = performance.now();
  await new Promise<void>((resolve) => {
    let running = 0;
    const launch = () => {
      const packet = packets[next];
      if (packet === undefined) {
        if (running === 0) resolve();
        return;
      }
      next += 1;
      running += 1;
      const began = performance.now();
      const socket = dial(job.target);
      let answered = false;
      socket.on("secureConnect", () => socket.write(packet));
      socket.on("data", (bytes) => {
        if (answered) return;
        answered = true;
        if (bytes[0] === 0x20 && bytes[3] === 0) latencies.push(performance.now() - began);
        else failed += 1;
        socket.end(Buffer.from([0xe0, 0]));
      });
      socket.on("error", () => {});
      socket.on("close", () => {
        if (!answered) failed += 1;
        running -= 1;
        launch();
      });
    };
    for (let index = 0; index < job.inFlight; index += 1) launch();
  });
  return result(latencies.length, performance.now() - start, failed, latencies);
}

async function openSession(target: Target, index: number): Promise<TLSSocket> {
  const packet = connectPacket(target, index);
  const socket = dial(target);
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed before CONNACK")));
    socket.once("secureConnect", () => socket.write(packet));
    socket.once("data", (bytes) => (bytes[3] === 0 ? resolve() : reject(new Error(`CONNACK ${bytes[3]}`))));
  });
  socket.removeAllListeners("close");
  return socket;
}

async function openSessions(target: Target, count: number): Promise<TLSSocket[]> {
  const sockets: TLSSocket[] = [];
  for (let from = 0; from < count; from += 50) {
    const some = Array.from({ length: Math.min(50, count - from) }, (_, index) =>
      openSession(target, from + index),
    );
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

/** Publishes as fast as acknowledgements allow: `window` unacknowledged messages a connection. */
async function runPublish(job: Extract<Job, { kind: "publish" }>): Promise<JobResult> {
  const sockets = await openSessions(job.target, job.connections);
  const latencies: number[] = [];
  let acknowledged = 0;
  let failed = 0;
  let counting = false;
  let stopping = false;
  const outstanding = new Set<number>();
  const drained: (() => void)[] = [];

  sockets.forEach((socket, index) => {
    const device = job.target.devices[index % job.target.devices.length];
    const packet = publishPacket(`/devices/${device?.id ?? ""}/events`, job.payloadBytes);
    const identifierAt = packet.length - job.payloadBytes - 2;
    const sentAt: number[] = [];
    let identifier = 0;
    let partial = 0;
    const send = (count: number) => {
      const batch = Buffer.allocUnsafe(packet.length * count);
      const now = performance.now();
      for (let nth = 0; nth < count; nth += 1) {
        identifier = (identifier % 65_535) + 1;
        packet.writeUInt16BE(identifier, identifierAt);
        packet.copy(batch, nth * packet.length);
        sentAt.push(now);
      }
      socket.write(batch);
    };
    outstanding.add(index);
    socket.on("data", (bytes) => {
      // A PUBACK of 3.1.1 is 4 bytes: 40 02 and the packet identifier.
      partial += bytes.length;
      const count = partial >> 2;
      partial &= 3;
      if (bytes[0] !== 0x40 && partial === 0 && count > 0 && bytes.length >= 4) failed += 1;
      const now = performance.now();
      for (let nth = 0; nth < count; nth += 1) {
        const sent = sentAt.shift();
        if (counting && sent !== undefined && latencies.length < 500_000) latencies.push(now - sent);
      }
      if (counting) acknowledged += count;
      if (!stopping && count > 0) send(count);
      else if (stopping && sentAt.length === 0) {
        outstanding.delete(index);
        if (outstanding.size === 0) for (const done of drained) done();
      }
    });
    socket.on("close", () => {
      if (!stopping) failed += 1;
      outstanding.delete(index);
      if (outstanding.size === 0) for (const done of drained) done();
    });
    socket.on("error", () => {});
    send(job.window);
  });

  await delay(500);
  counting = true;
  process.stdout.write(`${JSON.stringify({ mark: "start" })}\n`);
  const start = performance.now();
  await delay(job.seconds * 1000);
  counting = false;
  const took = performance.now() - start;
  process.stdout.write(`${JSON.stringify({ mark: "end" })}\n`);
  stopping = true;
  await Promise.race([new Promise<void>((resolve) => drained.push(resolve)), delay(5_000)]);
  for (const socket of sockets) socket.destroy();
  return result(acknowledged, took, failed, latencies);
}

/** Publishes at a fixed rate over all connections and measures each acknowledgement. */
async function runPaced(job: Extract<Job, { kind: "paced" }>): Promise<JobResult> {
  const sockets = await openSessions(job.target, job.connections);
  const latencies: number[] = [];
  let failed = 0;
  let counting = false;
  const senders = sockets.map((socket, index) => {
    const device = job.target.devices[index % job.target.devices.length];
    const packet = publishPacket(`/devices/${device?.id ?? ""}/events`, job.payloadBytes);
    const identifierAt = packet.length - job.payloadBytes - 2;
    const sentAt: number[] = [];
    let identifier = 0;
    let partial = 0;
    socket.on("data", (bytes) => {
      partial += bytes.length;
      const count = partial >> 2;
      partial &= 3;
      const now = performance.now();
      for (let nth = 0; nth < count; nth += 1) {
        const sent = sentAt.shift();
        if (counting && sent !== undefined) latencies.push(now - sent);
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      if (counting) failed += 1;
    });
    return () => {
      identifier = (identifier % 65_535) + 1;
      packet.writeUInt16BE(identifier, identifierAt);
      sentAt.push(performance.now());
      socket.write(Buffer.from(packet));
    };
  });

  const start = performance.now();
  let sent = 0;
  let turn = 0;
  let from = 0;
  await new Promise<void>((resolve) => {
    const tick = () => {
      const elapsed = performance.now() - start;
      if (!counting && elapsed > 1_000 && elapsed < 1_000 + job.seconds * 1000) {
        counting = true;
        from = performance.now();
        process.stdout.write(`${JSON.stringify({ mark: "start" })}\n`);
      }
      if (elapsed > 1_000 + job.seconds * 1000) {
        process.stdout.write(`${JSON.stringify({ mark: "end" })}\n`);
        return resolve();
      }
      const due = Math.floor((elapsed / 1000) * job.perSecond);
      for (; sent < due; sent += 1) {
        senders[turn % senders.length]?.();
        turn += 1;
      }
      setTimeout(tick, 1);
    };
    tick();
  });
  const took = performance.now() - from;
  await delay(300);
  counting = false;
  for (const socket of sockets) socket.destroy();
  return result(latencies.length, took, failed, latencies);
}

function result(operations: number, millis: number, failed: number, latencies: number[]): JobResult {
  latencies.sort((a, b) => a - b);
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return { operations, seconds: millis / 1000, failed, p50Millis: at(0.5), p99Millis: at(0.99) };
}

function delay(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

async function run(job: Job): Promise<JobResult> {
  switch (job.kind) {
    case "connect":
      return runConnects(job);
    case "publish":
      return runPublish(job);
    case "paced":
      return runPaced(job);
    case "hold": {
      const start = performance.now();
      held = await openSessions(job.target, job.connections);
      return { operations: held.length, seconds: (performance.now() - start) / 1000, failed: 0 };
    }
    case "release":
      for (const socket of held) socket.destroy();
      held = [];
      return { operations: 0, seconds: 0, failed: 0 };
  }
}

if (process.argv[1] === import.meta.filename) {
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = await run(JSON.parse(line) as Job);
    process.stdout.write(`${JSON.stringify({ result: answer })}\n`);
  }
}
