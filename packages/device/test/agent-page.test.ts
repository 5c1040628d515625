/**
 * docs/reference/agent.md says what the code does: the backoff table, and every answer a bridge may give.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { reasonCodesOf } from "@mayfly/core/mqtt";
import { backoffTable, retryAfterMillisMax, stableMillis } from "../src/session/backoff.ts";
import { settleMillisMax } from "../src/session/changeover.ts";
import { linkOpenMillisMax } from "../src/session/connection.ts";
import {
  actionOfPuback,
  againPauseMillis,
  againTimesMax,
  refusalOfConnack,
  refusalOfDisconnect,
} from "../src/session/refusal.ts";
import { rememberedSecondsMax } from "../src/session/remembered-form.ts";
import { connackMillisMax } from "../src/session/session.ts";
import { clockRetryMillis, hurryMillisMin, presentationMillis } from "../src/supervisor.ts";
import { correctionMillisMax } from "../src/token/clock-doubt.ts";
import { signMillisMax } from "../src/token/token-keeper.ts";

const page = readFileSync(new URL("../../../docs/reference/agent.md", import.meta.url), "utf8");

/** The cells of the table below a heading, without its two head rows. */
function tableBelow(heading: string): readonly (readonly string[])[] {
  const start = page.indexOf(`\n${heading}\n`);
  assert.ok(start >= 0, `no heading ${heading}`);
  const end = page.indexOf("\n#", start + heading.length);
  return page
    .slice(start, end < 0 ? undefined : end)
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .slice(1)
    .map((line) => line.slice(2, -2).split(" | "));
}

const hex = (code: number): string => `0x${code.toString(16).toUpperCase().padStart(2, "0")}`;
const refusals = (codes: readonly number[]): readonly number[] => codes.filter((code) => code !== 0);

for (const [heading, codes, refusalOf] of [
  ["### CONNACK, MQTT 5.0", refusals(reasonCodesOf.connack), (code: number) => refusalOfConnack(5, code)],
  [
    "### CONNACK, MQTT 3.1.1",
    refusals(reasonCodesOf.connack311),
    (code: number) => refusalOfConnack(4, code),
  ],
  ["### DISCONNECT", reasonCodesOf.disconnectFromServer, refusalOfDisconnect],
] as const) {
  test(`the page has every code under "${heading}", in words and with its action`, () => {
    const wanted = codes.map((code) => [hex(code), refusalOf(code).sentence, refusalOf(code).action]);

    assert.deepEqual(tableBelow(heading), wanted);
  });
}

test("the page has every code of a PUBACK with its action", () => {
  const rows = tableBelow("### PUBACK").map(([code, , action]) => [code, action]);

  assert.deepEqual(
    rows,
    reasonCodesOf.puback.map((code) => [hex(code), actionOfPuback(code)]),
  );
});

test("the page's backoff table is the code's", () => {
  const rows = tableBelow("## How long it waits").map(([cause, , ...waits]) => [cause, ...waits]);

  assert.deepEqual(
    rows,
    Object.entries(backoffTable).map(([cause, { leastMillis, firstMillis, mostMillis }]) => [
      `\`${cause}\``,
      ...[leastMillis, firstMillis, mostMillis].map((millis) => `${millis / 1000} s`),
    ]),
  );
});

test("the waits that the page names are the code's", () => {
  for (const [sentence, millis] of [
    ["asked again every second", clockRetryMillis - 1_000],
    ["(never sooner than 1 s)", hurryMillisMin - 1_000],
    ["refused for its age one second later", presentationMillis - settleMillisMax - 1_000],
    [`for at most ${retryAfterMillisMax / 1000} s of it`, 0],
    [`has ${correctionMillisMax / 1000} s to answer`, 0],
    [`connected for ${stableMillis / 1000} s without a break`, 0],
    [`no link within ${linkOpenMillisMax / 1000} s, no CONNACK within ${connackMillisMax / 1000} s`, 0],
    [`did not sign within ${signMillisMax / 1000} s`, 0],
    [`remembered for ${rememberedSecondsMax / 86_400} days`, 0],
    [`after ${againPauseMillis / 1000} s without another, at most ${againTimesMax} times`, 0],
  ] as const) {
    assert.ok(page.replaceAll("\n", " ").includes(sentence), `the page does not say "${sentence}"`);
    assert.equal(millis, 0, sentence);
  }
});
