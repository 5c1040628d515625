/**
 * What the bridge says in words: Reason String and Server Reference (MQTT 5.0 §3.2.2.3.9, §3.2.2.3.16), fit for a log.
 *
 * Whoever is at the other end chose these bytes. So they are cut, anything but printable ASCII becomes `?`, and nothing
 * is ever decided by them: the agent goes where it was told to go by its owner, not by a Server Reference.
 */
import type { Properties } from "@mayfly/core/mqtt";

/** Characters that are told. */
export const reasonWordsMax = 120;

export interface ReasonWords {
  readonly reasonString?: string;
  readonly serverReference?: string;
}

export function readReasonWords(properties: Properties | undefined): ReasonWords {
  const { reasonString, serverReference } = properties ?? {};
  return {
    ...(reasonString === undefined ? undefined : { reasonString: printable(reasonString) }),
    ...(serverReference === undefined ? undefined : { serverReference: printable(serverReference) }),
  };
}

function printable(text: string): string {
  let words = "";
  let characters = 0;
  for (const character of text) {
    if (characters === reasonWordsMax) return words;
    words += character >= " " && character <= "~" ? character : "?";
    characters += 1;
  }
  return words;
}
