/**
 * What an NTP server sends, written from RFC 5905 §7.3 with BigInt and apart from the product's code: honest answers,
 * and each kind of bad one by changing a field.
 */

/** Seconds from 1900 to 1970. */
const epoch = 2_208_988_800n;

export interface AnswerFields {
  readonly leap?: number;
  readonly version?: number;
  readonly mode?: number;
  readonly stratum?: number;
  readonly reference?: string;
  readonly rootDelaySeconds?: number;
  readonly rootDispersionSeconds?: number;
  /** Unix seconds; T2 and T3. */
  readonly receivedSeconds: number;
  readonly transmittedSeconds?: number;
  /** Default: the transmit timestamp of the question. */
  readonly origin?: Uint8Array;
  readonly isTransmitZero?: boolean;
}

/** @returns 8 bytes: seconds since 1900, whatever era, and 32 bits of a fraction. */
export function ntpTimestamp(unixSeconds: number): Buffer {
  const bytes = Buffer.alloc(8);
  const fixed = BigInt(Math.round(unixSeconds * 2 ** 20)) << 12n;
  bytes.writeBigUInt64BE(BigInt.asUintN(64, fixed + (epoch << 32n)));
  return bytes;
}

export function ntpAnswer(request: Uint8Array, fields: AnswerFields): Buffer {
  const { leap = 0, version = 4, mode = 4, stratum = 2, reference = "\x7f\x00\x00\x01" } = fields;
  const { receivedSeconds, transmittedSeconds = receivedSeconds } = fields;
  const answer = Buffer.alloc(48);
  answer[0] = (leap << 6) | (version << 3) | mode;
  answer[1] = stratum;
  answer[2] = 6;
  answer.writeInt8(-20, 3);
  answer.writeUInt32BE(Math.round((fields.rootDelaySeconds ?? 0.01) * 65_536), 4);
  answer.writeUInt32BE(Math.round((fields.rootDispersionSeconds ?? 0.005) * 65_536), 8);
  answer.write(reference, 12, "latin1");
  ntpTimestamp(receivedSeconds - 30).copy(answer, 16);
  answer.set(fields.origin ?? request.subarray(40, 48), 24);
  ntpTimestamp(receivedSeconds).copy(answer, 32);
  if (fields.isTransmitZero !== true) ntpTimestamp(transmittedSeconds).copy(answer, 40);
  return answer;
}

/** A kiss-o'-death with this code (RFC 5905 §7.4). */
export function ntpKiss(request: Uint8Array, code: string, change: Partial<AnswerFields> = {}): Buffer {
  return ntpAnswer(request, { leap: 3, stratum: 0, reference: code, receivedSeconds: 0, ...change });
}
