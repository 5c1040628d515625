/**
 * Token keeper: one token in use, and the next when it is asked for.
 *
 * Signing is a request answered by an event. At most one is under way; an answer that comes after its
 * deadline is dropped. Nothing is signed while the clock is not believed, nor while it is too uncertain for tokens of
 * the lifetime asked for.
 *
 * Left to others: when to ask (the agent), and what to do with a token the bridge refused.
 */
import type { CancelTimer, NumericDate } from "@mayfly/core";
import { mintDeviceToken, tokenClaimsFor } from "@mayfly/core/token";
import type { AgentPorts, AgentSigner } from "../ports.ts";
import { digestSigner } from "./digest-signer.ts";
import { isWorthMinting, safeUntilMillis } from "./renewal.ts";

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
  /** Until then no bridge with a right clock refuses it for its age, whatever ours was wrong by. */
  readonly safeMillis: number;
}

/** What the tokens say of their device. */
export interface TokenOrder {
  readonly project: string;
  /** `sub`. */
  readonly devicePath: string;
  readonly lifetimeSeconds: number;
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

/** Whoever knows which key signs. */
export interface SignerNow {
  readonly signer: AgentSigner;
}

type KeeperPorts = Pick<AgentPorts, "clock" | "timers" | "sha256" | "time">;

export function createTokenKeeper(ports: KeeperPorts, keys: SignerNow, order: TokenOrder): TokenKeeper {
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

    const waitBecause = (because: string): void => {
      cancelDeadline = ports.timers.after(0, () => settle({ kind: "waiting_for_clock", because }));
    };

    const time = ports.time.readiness();
    if (time.kind === "waiting") {
      waitBecause(time.because);
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
    const { iat, exp } = claims;
    const expiresMillis = mintedMillis + (exp - now) * 1000;
    const safeMillis = safeUntilMillis(expiresMillis, ports.time);
    if (!isWorthMinting({ iat, exp, safeMillis }, mintedMillis)) {
      waitBecause(tooUncertain(uncertaintySeconds, order.lifetimeSeconds));
      return;
    }
    cancelDeadline = ports.timers.after(signMillisMax, () =>
      settle({ kind: "failed", because: "the signer did not answer in time" }),
    );
    const { signer } = keys;
    const by = digestSigner(signer, ports.sha256);
    mintDeviceToken(claims, by.signer, by.sha256).then(
      (text) =>
        settle({
          kind: "minted",
          token: { text, keyId: signer.keyId, iat, exp, mintedMillis, expiresMillis, safeMillis },
        }),
      (error: unknown) => settle({ kind: "failed", because: nameOf(error) }),
    );
  }

  return { mint, cancel };
}

function tooUncertain(uncertaintySeconds: number, lifetimeSeconds: number): string {
  const off = Math.ceil(uncertaintySeconds);
  return `the clock may be off by ${off} s, too much for tokens of ${lifetimeSeconds} s`;
}

// A signer's message could quote anything; its class and code say enough for a log.
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return "the signer failed";
  const code = "code" in error && typeof error.code === "string" ? ` ${error.code}` : "";
  return `${error.name}${code}`;
}
