/**
 * `mayfly chip sim`: a simulated chip behind a socket, for host libraries in any language and for the demo.
 */
import type { Command } from "commander";
import { newCommand, oneOf, outputOf, required, wholeNumber } from "../flags.ts";
import { startChipSim } from "../host/chip-sim.ts";
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
        "--stop-with-stdin",
        "end when standard input closes, for programs that start chips of their own",
      )
      .action(runChipSim),
  );
}

async function runChipSim(flags: ChipSimFlags): Promise<void> {
  const stop = flags.stopWithStdin === true ? anyAbort(stopSignal(), standardInputEnd()) : stopSignal();
  const output = outputOf(flags);
  const sim = await startChipSim({
    socket: flags.socket,
    kind: flags.kind,
    profile: flags.profile,
    realTime: flags.realTime === true,
    ...(flags.image === undefined ? {} : { imageFile: flags.image }),
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
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
