/**
 * `mayfly chip sim`: a simulated chip behind a socket, with a simulated clock chip beside it where one is wanted, for
 * host libraries in any language and for the demo.
 */
import type { Command } from "commander";
import { CommandFailure } from "../failure.ts";
import { type Fault, repeatedFault } from "../fault-flag.ts";
import { decimal, instantSeconds, newCommand, oneOf, outputOf, required, wholeNumber } from "../flags.ts";
import { type RtcOrder, startChipSim } from "../host/chip-sim.ts";
import { anyAbort, standardInputEnd, stopSignal } from "../host/signals.ts";

interface ChipSimFlags {
  readonly json?: true;
  readonly socket: string;
  readonly image?: string;
  readonly kind: "factory-fresh" | "trust-and-go" | "mayfly";
  readonly profile: "typical" | "worst";
  readonly seed?: number;
  readonly trace?: true;
  readonly realTime?: true;
  readonly fault?: readonly Fault[];
  readonly rtc?: true;
  readonly rtcPpm?: number;
  readonly rtcOscillatorStopped?: true;
  readonly rtcTime?: number;
  readonly stopWithStdin?: true;
}

export function addChipSimCommand(group: Command): void {
  group.addCommand(
    newCommand("sim", "be a chip: answer on a socket as an ATECC608 answers on its bus, until told to end")
      .option("--socket <PATH|HOST:PORT>", required("where to listen; port 0 takes a free one"))
      .option("--image <FILE>", "keep the chip in this file: private keys in clear, for its owner alone")
      .option(
        "--kind <KIND>",
        "what a chip without an image is: factory-fresh, trust-and-go or mayfly",
        oneOf(["factory-fresh", "trust-and-go", "mayfly"] as const),
        "factory-fresh",
      )
      .option(
        "--profile <PROFILE>",
        "execution times: typical or worst",
        oneOf(["typical", "worst"] as const),
        "typical",
      )
      .option("--seed <N>", "the same seed gives the same chip", wholeNumber(0, Number.MAX_SAFE_INTEGER))
      .option("--trace", "print each transaction on stderr")
      .option("--real-time", "take as long as silicon does; without it only virtual time passes")
      .option(
        "--fault <KIND:WHEN>",
        "what goes wrong: at a SHARE of its opportunities (0.2) or at those FROM-UNTIL (5-9); may be repeated",
        repeatedFault,
      )
      .option(
        "--rtc",
        "put a DS3231 clock chip on the same bus, at 0x68; it shows this machine's time at first",
      )
      .option("--rtc-ppm <N>", "how fast the clock chip runs, parts per million", decimal(-200, 200))
      .option(
        "--rtc-oscillator-stopped",
        "the clock chip's battery was empty: flag OSF is set, the year is 2000",
      )
      .option("--rtc-time <INSTANT>", "what the clock chip shows at first, UTC, 2000 to 2099", instantSeconds)
      .option(
        "--stop-with-stdin",
        "end when standard input closes, for programs that start chips of their own",
      )
      .action(runChipSim),
  );
}

async function runChipSim(flags: ChipSimFlags): Promise<void> {
  const stop = flags.stopWithStdin === true ? anyAbort(stopSignal(), standardInputEnd()) : stopSignal();
  const output = outputOf(flags);
  const rtc = rtcOf(flags);
  const sim = await startChipSim({
    socket: flags.socket,
    kind: flags.kind,
    profile: flags.profile,
    realTime: flags.realTime === true,
    ...(flags.image === undefined ? {} : { imageFile: flags.image }),
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    faults: flags.fault ?? [],
    ...(rtc === undefined ? {} : { rtc }),
    ...(flags.trace === true ? { trace: output.remark } : {}),
  });
  output.result({ ready: true, socket: sim.address }, () => `ready  chip simulator at ${sim.address}`);
  if (!stop.aborted) {
    await new Promise<void>((resolve) => {
      stop.addEventListener("abort", () => resolve(), { once: true });
    });
  }
  await sim.close();
}

/** @throws {CommandFailure} usage: a clock chip is described and none is wanted. */
function rtcOf(flags: ChipSimFlags): RtcOrder | undefined {
  const { rtcPpm, rtcOscillatorStopped, rtcTime } = flags;
  if (flags.rtc !== true) {
    if (rtcPpm === undefined && rtcOscillatorStopped === undefined && rtcTime === undefined) return undefined;
    throw new CommandFailure("usage", "--rtc is missing: there is no clock chip without it");
  }
  return {
    ppm: rtcPpm ?? 0,
    isOscillatorStopped: rtcOscillatorStopped === true,
    ...(rtcTime === undefined ? {} : { startsAtSeconds: rtcTime }),
  };
}
