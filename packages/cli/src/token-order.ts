/**
 * What a token that a command mints shall say, whoever signs it: a key file or a chip.
 */
import { formatDeviceName, parseDeviceName } from "@mayfly/core";
import type { JwtClaims } from "@mayfly/core/token";
import type { Command } from "commander";
import { type PlaceFlags, registryOf } from "./connection.ts";
import { durationSeconds, required, withRegistry } from "./flags.ts";
import { wallSeconds } from "./host/clock.ts";
import { findEndpoints } from "./host/endpoints.ts";
import { environmentSettings } from "./host/environment.ts";
import type { Output } from "./output.ts";

/** Longer than any preset takes (24 h): minted all the same, with a remark. */
const LIFETIME_USUAL_MAX_SECONDS = 86_400;

export interface TokenFlags extends PlaceFlags {
  readonly data?: string;
  readonly device: string;
  readonly lifetime: number;
  readonly audience?: string;
  readonly sub: boolean;
}

/** Adds what says what a token claims. */
export function withToken(command: Command): Command {
  return withRegistry(command)
    .option("--data <DIR>", "data folder that says what the server's project and registry are")
    .option("--device <DEVICE>", required("device id or numId"))
    .option("--lifetime <DURATION>", "exp - iat, such as 90s, 15m, 1h", durationSeconds, 3_600)
    .option("--audience <AUDIENCE>", "aud, where it is not the project")
    .option("--no-sub", "leave out sub, as Cloud IoT Core's tokens did");
}

/** The claims, issued now. @throws {CommandFailure} usage @throws {IdError} */
export async function claimsFor(flags: TokenFlags, output: Output): Promise<JwtClaims> {
  // A server on this machine supplies what no flag says; without one the flags suffice.
  const endpoints = await findEndpoints(flags.data ?? environmentSettings().data);
  const place = registryOf(flags, endpoints);
  const devicePath = formatDeviceName({ ...place, device: flags.device });
  parseDeviceName(devicePath);
  if (flags.lifetime > LIFETIME_USUAL_MAX_SECONDS) {
    output.remark("mayfly: a lifetime beyond 24 h is refused by registries as they are created");
  }
  const iat = Math.floor(wallSeconds());
  return {
    aud: flags.audience ?? place.project,
    iat,
    exp: iat + flags.lifetime,
    ...(flags.sub ? { sub: devicePath } : {}),
  };
}
