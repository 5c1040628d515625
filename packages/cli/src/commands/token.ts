/**
 * `mayfly token`: mint one with a key file, look into one, verify one, all without a server.
 */
import { formatDeviceName, parseDeviceName, parseProjectId } from "@mayfly/core";
import {
  encodeTokenSigningInput,
  joinToken,
  type ParsedToken,
  parseToken,
  policyPresets,
  TokenError,
  type TokenPolicy,
  type VerifiedToken,
  verifyDeviceToken,
} from "@mayfly/core/token";
import type { Command } from "commander";
import { LOCATION_DEFAULT, PROJECT_DEFAULT } from "../connection.ts";
import { CommandFailure } from "../failure.ts";
import { newCommand, newGroup, oneOf, outputOf, required, wholeNumber } from "../flags.ts";
import { wallSeconds } from "../host/clock.ts";
import { readText } from "../host/files.ts";
import { fingerprintOf, platformVerifier, readPrivateKey, readPublicKey } from "../host/keys.ts";
import { claimsFor, type TokenFlags, withToken } from "../token-order.ts";
import { describeToken } from "../token-words.ts";

interface MintFlags extends TokenFlags {
  readonly json?: true;
  readonly key: string;
}

interface VerifyFlags {
  readonly json?: true;
  readonly publicKey: string;
  readonly project: string;
  readonly location?: string;
  readonly registry?: string;
  readonly device?: string;
  readonly policy: TokenPolicy["preset"];
  readonly at?: number;
}

export function addTokenCommands(program: Command): void {
  const group = newGroup("token", "mint, look into and verify device tokens; needs no server");
  program.addCommand(group);
  group.addCommand(
    withToken(
      newCommand("mint", "sign a token with a private key file and print it").option(
        "--key <FILE>",
        required("P-256 private key in PEM, SEC 1 or PKCS#8"),
      ),
    ).action(mint),
  );
  group.addCommand(
    newCommand("inspect", "say what a token claims, in words; verifies nothing")
      .argument("[TOKEN]", "the token; - or nothing reads standard input", "-")
      .action(inspect),
  );
  group.addCommand(
    newCommand("verify", "verify a token as the bridge would, against one public key")
      .argument("[TOKEN]", "the token; - or nothing reads standard input", "-")
      .option("--public-key <FILE>", required("public key or certificate in PEM"))
      .option("--project <PROJECT>", "project the token must be for", PROJECT_DEFAULT)
      .option("--location <LOCATION>", "location the subject must name")
      .option("--registry <REGISTRY>", "registry the subject must name")
      .option("--device <DEVICE>", "device the subject must name")
      .option("--policy <POLICY>", "strict or iot-core", oneOf(["strict", "iot-core"] as const), "strict")
      .option(
        "--at <SECONDS>",
        "verify as if it were this time, in seconds since 1970",
        wholeNumber(0, 99_999_999_999),
      )
      .action(verify),
  );
}

async function mint(flags: MintFlags): Promise<void> {
  const output = outputOf(flags);
  const key = await readPrivateKey(flags.key);
  const claims = await claimsFor(flags, output);
  const signingInput = encodeTokenSigningInput({ alg: "ES256", typ: "JWT", kid: key.keyId }, claims);
  const token = joinToken(signingInput, key.sign(signingInput));

  output.result({ token, keyId: key.keyId, claims }, () => token);
}

async function inspect(given: string, flags: { readonly json?: true }): Promise<void> {
  const output = outputOf(flags);
  const token = await readToken(given);
  const parsed = readLoosely(token);
  const { header, claims, leniencies } = parsed;
  const words = describeToken(parsed, wallSeconds());

  output.result(
    { verified: false, header, claims, signatureBytes: parsed.signature.length, leniencies, words },
    () => words.join("\n"),
  );
}

async function verify(given: string, flags: VerifyFlags): Promise<void> {
  const output = outputOf(flags);
  const [token, publicKey] = [await readToken(given), await readPublicKey(flags.publicKey)];
  const subjectExpected = expectedSubject(flags);
  const subjectSaid = readLoosely(token).claims["sub"];
  // Where no device was named, whatever the token says of itself is taken; the verdict says so.
  const devicePaths =
    subjectExpected !== undefined ? [subjectExpected] : typeof subjectSaid === "string" ? [subjectSaid] : [];
  let verified: VerifiedToken;
  try {
    verified = verifyDeviceToken(
      token,
      {
        policy: policyPresets[flags.policy],
        now: flags.at ?? wallSeconds(),
        audience: flags.project,
        devicePaths,
        ownAgent: false,
        device: {
          blocked: false,
          keys: [
            {
              keyId: fingerprintOf(publicKey.key).slice(0, 16),
              alg: publicKey.alg,
              state: "active",
              handle: publicKey.key,
            },
          ],
        },
        verifyWhenTimeFails: true,
      },
      platformVerifier,
    );
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    output.result(
      {
        verdict: "refused",
        code: error.code,
        message: error.message,
        authenticity: error.authenticity,
        facts: error.facts,
      },
      () => `refused  ${error.code}: ${error.message}${authenticityWords(error)}`,
    );
    throw new CommandFailure("token_refused", `the token is refused (${error.code})`, { cause: error });
  }
  const isSubjectChecked = verified.claims.sub !== undefined && subjectExpected !== undefined;
  output.result(
    {
      verdict: "accepted",
      keyId: verified.keyId,
      claims: verified.claims,
      deadlineSeconds: verified.deadlineSeconds,
      leniencies: verified.leniencies,
      subjectChecked: isSubjectChecked,
    },
    () =>
      [
        `accepted  by policy ${flags.policy}, until ${new Date(verified.deadlineSeconds * 1000).toISOString()}`,
        ...(isSubjectChecked
          ? []
          : ["the subject was not checked: name the device with --registry and --device"]),
        ...(verified.leniencies.length === 0 ? [] : [`forgiven: ${verified.leniencies.join(", ")}`]),
      ].join("\n"),
  );
}

function authenticityWords(error: TokenError): string {
  if (error.authenticity === undefined) return "";
  return error.authenticity === "authentic"
    ? " (the signature is good)"
    : " (and the signature is not by this key)";
}

function expectedSubject(flags: VerifyFlags): string | undefined {
  parseProjectId(flags.project);
  if (flags.registry === undefined && flags.device === undefined) return undefined;
  if (flags.registry === undefined || flags.device === undefined) {
    throw new CommandFailure(
      "usage",
      "--registry and --device name the subject together; give both or neither",
    );
  }
  const name = {
    project: flags.project,
    location: flags.location ?? LOCATION_DEFAULT,
    registry: flags.registry,
    device: flags.device,
  };
  const path = formatDeviceName(name);
  parseDeviceName(path);
  return path;
}

/** A tool that explains reads all it can; only `verify` is strict. */
function readLoosely(token: string): ParsedToken {
  return parseToken(token, { looseBase64: true });
}

async function readToken(given: string): Promise<string> {
  const text = (given === "-" ? await readText("-") : given).trim();
  if (text === "")
    throw new CommandFailure("usage", "no token came: give it as an argument or on standard input");
  return text;
}
