/**
 * Token keeper: one token in use, and the next when it is asked for.
 *
 * Signing is a request answered by an event. At most one is under way; an answer that comes after its
 * deadline is dropped. Nothing is signed while the clock is not believed.
 *
 * Left to others: when to ask (the agent), and what to do with a token the bridge refused.
 */
import type { CancelTimer, NumericDate } from "@mayfly/core";
import { mintDeviceToken, tokenClaimsFor } from "@mayfly/core/token";
import type { AgentPorts } from "../ports.ts";
import { digestSigner } from "./digest-signer.ts";

/** How long a signer may take. A chip needs 0.1 s; a bus that hangs is given up. */
export const signMillisMax = 10_000;

export interface DeviceToken {
  /** JWS Compact Serialization. A bearer secret until it expires: never in a log. */
  readonly text: string;
  /** Of the key that signed it. */
  readonly keyId: string;
  readonly iat: NumericDate;
  readonly exp: NumericDate;
  /** The monotonic instants of minting and of `exp`: a later step of the wall clock does not move them. */
  readonly mintedMillis: number;
  readonly expiresMillis: number;
}

export type MintAnswer =
  | { readonly kind: "minted"; readonly token: DeviceToken }
  | { readonly kind: "waiting_for_clock"; readonly because: string }
  | { readonly kind: "failed"; readonly because: string };

export interface TokenKeeper {
  /** Asks for a token; answers once, never synchronously. A second ask replaces the first's answer. */
  mint(answer: (answer: MintAnswer) => void): void;
  /** Forgets a request under way; its answer will not come. */
  cancel(): void;
}

type KeeperPorts = Pick<AgentPorts, "clock" | "timers" | "sha256" | "signer" | "time">;

export function createTokenKeeper(
  ports: KeeperPorts,
  order: { readonly project: string; readonly devicePath: string; readonly lifetimeSeconds: number },
): TokenKeeper {
  let generation = 0;
  let cancelDeadline: CancelTimer | undefined;

  function cancel(): void {
    generation += 1;
    cancelDeadline?.();
    cancelDeadline = undefined;
  }

  function mint(answer: (answer: MintAnswer) => void): void {
    cancel();
    const mine = generation;
    const settle = (result: MintAnswer): void => {
      if (mine !== generation) return;
      cancel();
      answer(result);
    };

    const time = ports.time.readiness();
    if (time.kind === "waiting") {
      cancelDeadline = ports.timers.after(0, () =>
        settle({ kind: "waiting_for_clock", because: time.because }),
      );
      return;
    }

    const { now, uncertaintySeconds } = time;
    const mintedMillis = ports.clock.monotonicMillis();
    const claims = tokenClaimsFor({
      projectId: order.project,
      devicePath: order.devicePath,
      issuedAt: now,
      lifetimeSeconds: order.lifetimeSeconds,
      uncertaintySeconds,
    });
    const expiresMillis = mintedMillis + (claims.exp - now) * 1000;
    cancelDeadline = ports.timers.after(signMillisMax, () =>
      settle({ kind: "failed", because: "the signer did not answer in time" }),
    );
    const { signer } = ports;
    const by = digestSigner(signer, ports.sha256);
    mintDeviceToken(claims, by.signer, by.sha256).then(
      (text) =>
        settle({
          kind: "minted",
          token: {
            text,
            keyId: signer.keyId,
            iat: claims.iat,
            exp: claims.exp,
            mintedMillis,
            expiresMillis,
          },
        }),
      (error: unknown) => settle({ kind: "failed", because: nameOf(error) }),
    );
  }

  return { mint, cancel };
}

// A signer's message could quote anything; its class and code say enough for a log.
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return "the signer failed";
  const code = "code" in error && typeof error.code === "string" ? ` ${error.code}` : "";
  return `${error.name}${code}`;
}
