import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { packetType } from "./packet-type.ts";
import { propertyTable, willProperties } from "./property-table.ts";

// docs/reference/mqtt.md goes through MQTT 5.0; this holds that it leaves nothing out: no property in any packet it may
// stand in, and no numbered statement. The tests and Reason Codes it names are held by the server's test of that page.

const page = readFileSync(new URL("../../../../docs/reference/mqtt.md", import.meta.url), "utf8");

/** The first cells of each table row below a heading. */
function rowsBelow(heading: string): readonly (readonly string[])[] {
  const start = page.indexOf(`\n## ${heading}\n`);
  assert.notEqual(start, -1, heading);
  const end = page.indexOf("\n## ", start + 1);
  return page
    .slice(start, end === -1 ? undefined : end)
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| --"))
    .map((line) => line.split(" | ").map((cell) => cell.replace(/^\| /, "")));
}

const fromClient = ["connect", "will", "subscribe", "unsubscribe"];
const fromServer = ["connack", "suback", "unsuback"];

/** Packets by their name, with an arrow for each direction: "PUBLISH ↑" comes from a client. */
function directionsOf(packet: string): readonly string[] {
  const name = packet === "will" ? "Will" : packet.toUpperCase();
  if (fromClient.includes(packet)) return [`${name} ↑`];
  return fromServer.includes(packet) ? [`${name} ↓`] : [`${name} ↑`, `${name} ↓`];
}

test("the page has a row for each property of table 2-4, in each packet and direction it may stand in", () => {
  const homes = { will: willProperties, ...packetType };
  const rows = rowsBelow("Properties");

  for (const { identifier, homes: bits } of propertyTable) {
    const id = `0x${identifier.toString(16).toUpperCase().padStart(2, "0")}`;
    const wanted = Object.entries(homes)
      .filter(([, home]) => ((bits >> home) & 1) === 1)
      .flatMap(([packet]) => directionsOf(packet));

    const found = rows
      .filter(([property = ""]) => property.startsWith(`${id} `))
      .flatMap(([, packets = ""]) => packets.split(", "));

    assert.deepEqual(found.toSorted(), wanted.toSorted(), id);
  }
});

/** How many statements the standard numbers in each section of chapters 1 to 4 and 6. */
const statements: Readonly<Record<string, number>> = {
  ...{ "1.5.4": 3, "1.5.5": 1, "1.5.7": 1, "2.1.3": 1, "2.2.1": 6, "2.2.2": 1 },
  ...{ "3.1.0": 2, "3.1.2": 30, "3.1.3": 12, "3.1.4": 6, "3.2.0": 2, "3.2.2": 22 },
  ...{ "3.3.1": 13, "3.3.2": 20, "3.3.4": 10, "3.4.2": 3, "3.5.2": 3, "3.6.1": 1, "3.6.2": 3, "3.7.2": 3 },
  ...{ "3.8.1": 1, "3.8.3": 5, "3.8.4": 8, "3.9.2": 2, "3.9.3": 2 },
  ...{ "3.10.1": 1, "3.10.3": 2, "3.10.4": 6, "3.11.2": 2, "3.11.3": 2, "3.12.4": 1 },
  ...{ "3.14.0": 1, "3.14.1": 1, "3.14.2": 4, "3.14.4": 3, "3.15.1": 1, "3.15.2": 3 },
  ...{ "4.1.0": 2, "4.2": 1, "4.3.1": 1, "4.3.2": 5, "4.3.3": 13, "4.4.0": 2, "4.5.0": 2, "4.6.0": 6 },
  ...{ "4.7.0": 1, "4.7.1": 2, "4.7.2": 1, "4.7.3": 4, "4.8.2": 6, "4.9.0": 3 },
  ...{ "4.12.0": 7, "4.12.1": 2, "4.13.1": 1, "4.13.2": 1, "6.0.0": 4 },
};
/** Numbers the standard skips. */
const skipped: ReadonlySet<string> = new Set(["2.2.1-1"]);

/** "3.3.1-5 to -8, -10, 3.3.2-1" as the statements it stands for. */
function statementsIn(cell: string): readonly string[] {
  const found: string[] = [];
  let section = "";
  let last = 0;
  for (const [, range, named, number] of cell.matchAll(/(to )?(\d+(?:\.\d+)+)?-(\d+)/g)) {
    section = named ?? section;
    const until = Number(number);
    for (let next = range === undefined ? until : last + 1; next <= until; next += 1) {
      found.push(`${section}-${next}`);
    }
    last = until;
  }
  return found;
}

test("the page has a row for each numbered statement of the standard, and for each only one", () => {
  const wanted = Object.entries(statements).flatMap(([section, count]) =>
    Array.from({ length: count }, (_, index) => `${section}-${index + 1}`).filter((one) => !skipped.has(one)),
  );

  const found = ["Statements the bridge keeps", "Statements it departs from", "Statements that do not apply"]
    .flatMap(rowsBelow)
    .flatMap(([clauses = ""]) => statementsIn(clauses));

  assert.deepEqual(found.toSorted(), wanted.toSorted());
});
