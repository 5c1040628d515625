/**
 * What one signature costs on our side: `node packages/secure-element/bench/driver.bench.ts [--json]`.
 *
 * Processor time is taken on a bus that answers from memory, so that it is the driver's own and nobody else's: wake,
 * Nonce, Sign, eight busy polls. Transactions, bytes and the chip's time come from the simulated chip at its typical
 * speed, which is an estimate and no measurement of silicon.
 */
import type { ChipTime, I2cBus } from "../src/bus.ts";
import { crc16 } from "../src/crc16.ts";
import { nodeSimCrypto } from "../src/host/node/sim-crypto.ts";
import { Atecc608, slotSigner } from "../src/signer.ts";
import { createChipSim } from "../src/sim/chip-sim.ts";
import { simBus } from "../src/sim/sim-bus.ts";

const ROUNDS = 7;
const SIGNATURES_PER_ROUND = 500;
const GOAL_CPU_MILLIS = 0.5;
const BUSY_POLLS = 8;
const digest = new Uint8Array(32).fill(0x5a);

/** @returns The median over the rounds, ms of this process's processor time per signature, each with a wake. */
async function measureCpu(): Promise<number> {
  const bus = new MemoryBus();
  const signer = slotSigner(new Atecc608(bus, { time: bus }), { slot: 0, keyId: "bench" });
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let turn = 0; turn < SIGNATURES_PER_ROUND; turn++) {
      bus.passAnHour();
      await signer.signDigest(digest);
    }
    const { user, system } = process.cpuUsage(before);
    // The first round warms up.
    if (round > 0) rounds.push((user + system) / 1000 / SIGNATURES_PER_ROUND);
  }
  rounds.sort((a, b) => a - b);
  return rounds[ROUNDS >> 1] ?? Number.NaN;
}

async function countBus(): Promise<{
  transactions: number;
  busyPolls: number;
  bytes: number;
  simulatedMillis: number;
}> {
  const sim = createChipSim({ crypto: nodeSimCrypto(), seed: 1, image: "mayfly" });
  const bus = simBus(sim);
  const count = { transactions: 0, busyPolls: 0, bytes: 0 };
  const counted: I2cBus = {
    async write(address, bytes) {
      count.transactions += 1;
      count.bytes += 1 + bytes.length;
      return await bus.write(address, bytes);
    },
    async read(address, length) {
      const answer = await bus.read(address, length);
      count.transactions += 1;
      count.bytes += 1 + (answer?.length ?? 0);
      if (answer === undefined) count.busyPolls += 1;
      return answer;
    },
    async wake() {
      count.transactions += 1;
      count.bytes += 2;
      await bus.wake();
    },
  };
  const chip = new Atecc608(counted, { time: bus });
  await chip.traits();
  await bus.delayMicros(60_000_000);
  Object.assign(count, { transactions: 0, busyPolls: 0, bytes: 0 });
  const start = bus.monotonicMillis();
  await chip.signDigest(0, digest);
  return { ...count, simulatedMillis: bus.monotonicMillis() - start };
}

/** Answers in no time of its own: woken, the first block of a 608's configuration, success, 64 bytes. */
class MemoryBus implements I2cBus, ChipTime {
  readonly #woken = framed([0x11]);
  readonly #config = framed(new Array<number>(32).fill(0).with(6, 0x60));
  readonly #success = framed([0x00]);
  readonly #signature = framed(new Array<number>(64).fill(0x77));
  #output = this.#woken;
  #busy = 0;
  #millis = 0;

  async write(_address: number, bytes: Uint8Array): Promise<"ack"> {
    const opcode = bytes[2];
    this.#output = opcode === 0x41 ? this.#signature : opcode === 0x02 ? this.#config : this.#success;
    this.#busy = opcode === 0x41 ? BUSY_POLLS : 0;
    return "ack";
  }

  async read(_address: number, length: number): Promise<Uint8Array | undefined> {
    if (this.#busy > 0) {
      this.#busy -= 1;
      return undefined;
    }
    return this.#output.subarray(0, length);
  }

  async wake(): Promise<void> {
    this.#output = this.#woken;
  }

  monotonicMillis(): number {
    return this.#millis;
  }

  async delayMicros(micros: number): Promise<void> {
    this.#millis += micros / 1000;
  }

  passAnHour(): void {
    this.#millis += 3_600_000;
  }
}

function framed(data: readonly number[]): Uint8Array {
  const body = Uint8Array.of(data.length + 3, ...data);
  const crc = crc16(body);
  return Uint8Array.of(...body, crc & 0xff, crc >> 8);
}

const cpuMillis = await measureCpu();
const onTheBus = await countBus();
const isMet = cpuMillis <= GOAL_CPU_MILLIS;

if (process.argv.includes("--json")) {
  console.log(
    JSON.stringify({ cpuMillisPerSign: cpuMillis, goalMillis: GOAL_CPU_MILLIS, isMet, ...onTheBus }),
  );
} else {
  console.log(isMet ? "all goals met" : `MISSED: CPU per signature ${cpuMillis.toFixed(3)} ms`);
  console.log(
    `CPU per signature, driver alone    ${cpuMillis.toFixed(3)} ms (goal: at most ${GOAL_CPU_MILLIS})`,
  );
  console.log(
    `bus transactions per signature     ${onTheBus.transactions}, of them ${onTheBus.busyPolls} busy polls`,
  );
  console.log(`bytes on the bus per signature     ${onTheBus.bytes} (addresses included)`);
  console.log(
    `digest to signature, simulated     ${onTheBus.simulatedMillis.toFixed(1)} ms at 100 kHz, typical profile`,
  );
}
if (!isMet) process.exitCode = 1;
