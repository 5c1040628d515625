/**
 * A delivered message as the application reads it: out of its envelope where it has one.
 */
import { unwrapEnvelope } from "@mayfly/core";

export function readDelivery(message: {
  readonly data?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}): { readonly device: string; readonly text: string } {
  const bytes = Buffer.from(message.data ?? "", "base64");
  const payload = unwrapEnvelope(bytes)?.payload ?? bytes;
  return { device: message.attributes?.["deviceId"] ?? "", text: Buffer.from(payload).toString() };
}
