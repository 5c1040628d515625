/**
 * Names that come from outside: Topic Names and Filters, Client Identifiers, subfolders.
 *
 * Promised: nothing is thrown but an IdError; what is found says the same as the rules of the contract written as
 * regular expressions (cloud-iot-core.md §1.1 and §4.3); what was parsed is formatted as the very text it came from.
 */
import {
  findPublishTopic,
  findSubscribeFilter,
  formatDeviceName,
  IdError,
  isCommandSubfolder,
  isEventSubfolder,
  isTopicFilterWellFormed,
  isTopicNameWellFormed,
  parseClientIdentifier,
} from "@mayfly/core";
import { bytesOf, type FuzzTarget, promise } from "../target.ts";

const id = "(?!goog)[a-zA-Z][-a-zA-Z0-9._+~%]{2,254}";
const numId = "[1-9][0-9]{0,19}";
const level = "[a-zA-Z][-a-zA-Z0-9._~%]+";
const topicId = "(?!goog)[a-zA-Z][-a-zA-Z0-9._~%]{2,254}";
const publishable = new RegExp(
  `^/devices/(${topicId}|${numId})/(state|attach|detach|events|events/(?<subfolder>${level}(/${level})*))$`,
);
const subscribable = new RegExp(`^/devices/(${topicId}|${numId})/(config|errors|commands/#)$`);
const place = "[a-z0-9]([-a-z0-9.:]{0,61}[a-z0-9.:])?";
const deviceName = new RegExp(
  `^projects/${place}/locations/[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/registries/${id}/devices/(${id}|(?<numId>${numId}))$`,
);
const numIdMax = 2n ** 64n - 1n;

export async function openNamesTarget(): Promise<FuzzTarget> {
  return {
    name: "names",
    seeds: [
      "/devices/fern/events",
      "/devices/fern/events/alarm/on",
      "/devices/2928540609735937/state",
      "/devices/fern/config",
      "/devices/fern/commands/#",
      "/devices/gw-1/errors",
      "/devices/dev/attach",
      "projects/my-project/locations/us-central1/registries/plant/devices/fern",
      "projects/example.com:p/locations/l/registries/r+1%~._/devices/18446744073709551615",
      "a/b/+/#",
      "/devices/fern/events/al+arm",
      "/devices/fern/commands/+",
      "/devices/googly/state",
      "/devices/18446744073709551616/config",
    ].map(bytesOf),
    dictionary: ["/devices/", "/", "#", "+", "goog", "events/", "registries/", "\x00", "\xc3\xa9", "%2F"].map(
      bytesOf,
    ),
    run(input) {
      const text = Buffer.from(input).toString("utf8");
      checkTopics(text);
      checkName(text);
    },
    async close() {},
  };
}

function checkTopics(text: string): void {
  const hasNumId = (found: { readonly device: string } | undefined) =>
    found === undefined || !/^[0-9]/.test(found.device) || BigInt(found.device) <= numIdMax;

  const topic = findPublishTopic(text);
  const match = publishable.exec(text);
  const fits = match !== null && (match.groups?.["subfolder"]?.length ?? 0) <= 256 && isNumIdSmall(match[1]);
  promise((topic !== undefined) === fits, "a Topic Name is judged otherwise than the contract says");
  promise(hasNumId(topic), "a numId above 64 bits is a device");
  promise(topic === undefined || isTopicNameWellFormed(text), "a Topic Name is found that MQTT forbids");

  const filter = findSubscribeFilter(text);
  const asked = subscribable.exec(text);
  promise(
    (filter !== undefined) === (asked !== null && isNumIdSmall(asked[1])),
    "a Topic Filter is judged otherwise",
  );
  promise(filter === undefined || isTopicFilterWellFormed(text), "a Topic Filter is found that MQTT forbids");
  promise(!isTopicNameWellFormed(text) || isTopicFilterWellFormed(text), "a Topic Name is no Topic Filter");

  if (isEventSubfolder(text))
    promise(/^[!-~]{1,256}$/.test(text), "a subfolder has other than printable ASCII");
  if (isCommandSubfolder(text)) promise(!/[+#\0]/.test(text), "a command's subfolder has a wildcard or NUL");
}

function checkName(text: string): void {
  let formatted: string | undefined;
  try {
    formatted = formatDeviceName(parseClientIdentifier(text));
  } catch (error) {
    if (!(error instanceof IdError)) throw error;
  }
  const match = deviceName.exec(text);
  const fits = match !== null && isNumIdSmall(match.groups?.["numId"]);
  promise(
    (formatted !== undefined) === fits,
    "a Client Identifier is judged otherwise than the contract says",
  );
  promise(formatted === undefined || formatted === text, "a Client Identifier is formatted as another text");
}

function isNumIdSmall(text: string | undefined): boolean {
  return text === undefined || !/^[0-9]/.test(text) || BigInt(text) <= numIdMax;
}
