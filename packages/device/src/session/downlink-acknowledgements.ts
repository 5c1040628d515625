/**
 * PUBACKs we owe: they leave in the order in which the PUBLISHes came (MQTT 5.0 §4.6), however long each
 * handler takes.
 */

interface Owed {
  readonly packetIdentifier: number;
  /** What to answer, once the handler is done; `undefined` means no PUBACK at all. */
  answer: { readonly reasonCode: number | undefined } | undefined;
}

export class DownlinkAcknowledgements {
  readonly #owed: Owed[] = [];

  get size(): number {
    return this.#owed.length;
  }

  /** A QoS 1 PUBLISH came. */
  owe(packetIdentifier: number): void {
    this.#owed.push({ packetIdentifier, answer: undefined });
  }

  /**
   * Its handler is done.
   *
   * @param reasonCode of the PUBACK; `undefined` for none, so that the bridge sends the message again later.
   * @returns The PUBACKs that may leave now, in order.
   */
  settle(
    packetIdentifier: number,
    reasonCode: number | undefined,
  ): readonly { readonly packetIdentifier: number; readonly reasonCode: number }[] {
    const settled = this.#owed.find((o) => o.packetIdentifier === packetIdentifier && o.answer === undefined);
    if (settled !== undefined) settled.answer = { reasonCode };

    const ready: { packetIdentifier: number; reasonCode: number }[] = [];
    for (let first = this.#owed[0]; first?.answer !== undefined; first = this.#owed[0]) {
      this.#owed.shift();
      const code = first.answer.reasonCode;
      if (code !== undefined) ready.push({ packetIdentifier: first.packetIdentifier, reasonCode: code });
    }
    return ready;
  }
}
