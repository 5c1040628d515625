/**
 * PUBACKs we owe: they leave in the order in which the PUBLISHes came (MQTT 5.0 §4.6), however long each
 * handler takes, and each only on the Network Connection that brought its PUBLISH last.
 *
 * A Session that is resumed carries over what it owes. The bridge sends those messages again with DUP; we answer
 * that second coming with the first one's outcome, and do not hand the message over twice. To acknowledge them
 * unasked would free an identifier whose repeat is still on its way to us, to be taken for something new.
 *
 * Left to others: how many may be owed at once (`downlink-intake.ts`).
 */

/** One QoS 1 PUBLISH of the bridge, until it is acknowledged. */
export class DownlinkReceipt {
  readonly packetIdentifier: number;
  /** What to answer, once the handler is done; `undefined` in it means no PUBACK at all. */
  answer: { readonly reasonCode: number | undefined } | undefined;

  constructor(packetIdentifier: number) {
    this.packetIdentifier = packetIdentifier;
  }
}

export class DownlinkAcknowledgements {
  #owed: DownlinkReceipt[] = [];
  /** Owed when the Session was resumed, and not sent again by the bridge yet. */
  #carried = new Map<number, DownlinkReceipt>();

  get size(): number {
    return this.#owed.length;
  }

  /** Whether this connection brought a PUBLISH with this identifier that is not acknowledged yet. */
  isOwed(packetIdentifier: number): boolean {
    for (const receipt of this.#owed) if (receipt.packetIdentifier === packetIdentifier) return true;
    return false;
  }

  /** A QoS 1 PUBLISH came, to be handed over. */
  owe(packetIdentifier: number): DownlinkReceipt {
    // Whatever had this identifier is done with: the bridge would not use it for another message otherwise.
    this.#carried.delete(packetIdentifier);
    const receipt = new DownlinkReceipt(packetIdentifier);
    this.#owed.push(receipt);
    return receipt;
  }

  /** A PUBLISH came with DUP. @returns Whether it was handed over before: it is owed again, and nothing else is to be done. */
  oweAgain(packetIdentifier: number): boolean {
    const receipt = this.#carried.get(packetIdentifier);
    if (receipt === undefined) return false;
    this.#carried.delete(packetIdentifier);
    this.#owed.push(receipt);
    return true;
  }

  /** @returns The PUBACKs that may leave now, in order. */
  takeReady(): readonly { readonly packetIdentifier: number; readonly reasonCode: number }[] {
    const ready: { packetIdentifier: number; reasonCode: number }[] = [];
    for (let first = this.#owed[0]; first?.answer !== undefined; first = this.#owed[0]) {
      this.#owed.shift();
      const { reasonCode } = first.answer;
      if (reasonCode !== undefined) ready.push({ packetIdentifier: first.packetIdentifier, reasonCode });
    }
    return ready;
  }

  /** The Session goes on over a new Network Connection. A message whose handler failed is to come as if new. */
  carryOver(): void {
    const isOpen = ({ answer }: DownlinkReceipt): boolean =>
      answer === undefined || answer.reasonCode !== undefined;
    // What the bridge did not send again on the connection before, it has given up.
    this.#carried = new Map(this.#owed.filter(isOpen).map((receipt) => [receipt.packetIdentifier, receipt]));
    this.#owed = [];
  }

  /** A new Session: nothing is owed. */
  clear(): void {
    this.#owed = [];
    this.#carried.clear();
  }
}
