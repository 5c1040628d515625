/**
 * docs/reference/agent-mqtt.md leaves no property of MQTT 5.0 out, names tests that exist, and has the code's limits.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { configAgainMillisFirst, configAgainTimesMax } from "../src/config/config-keeper.ts";
import { settleOptions } from "../src/options.ts";
import { outgoingAliasesMax } from "../src/session/bridge-limits.ts";
import { pingAnswerMillisMax } from "../src/session/keep-alive.ts";
import { reasonWordsMax } from "../src/session/reason-words.ts";
import { againPauseMillis, againTimesMax } from "../src/session/refusal.ts";
import { connackMillisMax } from "../src/session/session.ts";
import { subscribeMillisFirst, subscribeTimesMax } from "../src/session/subscriptions.ts";
import {
  againPauseMillisMax,
  pubackMillisMax,
  unsentBytesMax,
  unsentRetryMillis,
} from "../src/session/uplink.ts";
import { wireDefaults } from "../src/session/wire-settings.ts";

const root = join(import.meta.dirname, "../../..");
const page = readFileSync(join(root, "docs/reference/agent-mqtt.md"), "utf8");
const folders = ["src/session", "src/config", "src", "test/process", "../sim/test"];

function rowsBelow(heading: string, text = page): readonly (readonly string[])[] {
  const start = text.indexOf(`\n## ${heading}\n`);
  assert.notEqual(start, -1, heading);
  return text
    .slice(start, text.indexOf("\n## ", start + 1))
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| --"))
    .slice(1)
    .map((line) => line.slice(2, -2).split(" | "));
}

test("every test that the page names exists, and every row names one", () => {
  const files = new Map<string, string>();
  for (const folder of folders) {
    for (const name of readdirSync(join(root, "packages/device", folder))) {
      if (!name.endsWith(".test.ts")) continue;
      const short = name.slice(0, -".test.ts".length);
      const text = readFileSync(join(root, "packages/device", folder, name), "utf8");
      // Two folders may have files of one name.
      files.set(short, (files.get(short) ?? "") + text);
    }
  }
  const rows = ["Limits", "Packets", "Properties", "Config"].flatMap((heading) => rowsBelow(heading));

  for (const row of rows) {
    for (const reference of (row.at(-1) ?? "").split("<br>")) {
      const [, file = "", beginning = ""] = /^`([\w-]+)` (.{8,})$/.exec(reference) ?? [];
      // A version or a manner may stand before the name.
      const isThere = new RegExp(
        `test\\(\\s*["\`](?:(?:version )?\\$\\{\\w+\\}: )?${beginning.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}`,
      ).test(files.get(file) ?? "");
      assert.ok(isThere, `${row[0]}: ${reference}`);
    }
  }
  assert.ok(rows.length > 80, `${rows.length} rows`);
});

/** Property and packet with direction, such as `0x1F PUBACK ↓`. */
function propertiesOf(rows: readonly (readonly string[])[]): readonly string[] {
  return rows
    .flatMap(([property = "", packets = ""]) =>
      packets.split(", ").map((packet) => `${property.slice(0, 4)} ${packet}`),
    )
    .toSorted();
}

// The bridge's page is held to table 2-4 by the codec's own test.
test("the page has a row for each property that the bridge's page has, in each packet and direction", () => {
  const bridgePage = readFileSync(join(root, "docs/reference/mqtt.md"), "utf8");

  const [own, wanted] = [page, bridgePage].map((text) => propertiesOf(rowsBelow("Properties", text)));

  assert.deepEqual(own, wanted);
  assert.ok((own?.length ?? 0) > 60, `${own?.length} properties`);
});

test("the limits that the page names are the code's", () => {
  const number = (value: number): string => value.toLocaleString("en-US");
  const { handlerSecondsMax } = settleOptions({
    project: "p",
    location: "l",
    registry: "reg",
    device: "lamp",
  });
  for (const sentence of [
    `the bridge's Receive Maximum, at most \`wire.inFlightMaximum\`, 1 to ${wireDefaults.inFlightMaximum} (${wireDefaults.inFlightMaximum}) |`,
    `1 to ${wireDefaults.receiveMaximum} (${wireDefaults.receiveMaximum}), announced`,
    `(${number(wireDefaults.maximumPacketSize)}), announced`,
    `the bridge's Topic Alias Maximum, at most ${outgoingAliasesMax} |`,
    `(${wireDefaults.topicAliasMaximum}; on Node 16), announced`,
    `\`wire.messagesPerSecond\` (${wireDefaults.messagesPerSecond})`,
    `\`wire.bytesPerSecond\` (${number(wireDefaults.bytesPerSecond)})`,
    `| ${number(unsentBytesMax)} bytes | waits, asked again every ${unsentRetryMillis} ms`,
    `\`wire.statePauseMillis\` (${number(wireDefaults.statePauseMillis)})`,
    `| a PUBACK | ${pubackMillisMax / 1000} s |`,
    `${againTimesMax} times a message; the pause ${againPauseMillis / 1000} s, doubling up to ${againPauseMillisMax / 1000} s`,
    `${subscribeMillisFirst / 1000} s, doubling, ${subscribeTimesMax} SUBSCRIBEs a connection`,
    `1 to 3,600 s (${handlerSecondsMax})`,
    `asked for again ${configAgainTimesMax} times, after ${configAgainMillisFirst / 1000} s, doubling`,
    `within as long again and ${pingAnswerMillisMax / 1000} s`,
    `within ${connackMillisMax / 1000} s.`,
    `(${number(wireDefaults.sessionExpirySeconds)}) with \`cleanSession: false\``,
    `cut to ${reasonWordsMax} characters`,
  ]) {
    assert.ok(page.includes(sentence), `the page does not say "${sentence}"`);
  }
});
