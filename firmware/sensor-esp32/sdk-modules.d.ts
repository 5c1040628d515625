/**
 * The Moddable SDK's modules that this program imports, each by the shape our adapters ask for. Ours, because the
 * published typings are older than the SDK.
 */
declare module "crypt" {
  import type { XsDigestClass } from "@mayfly/device/xs";
  export const Digest: XsDigestClass;
}

declare module "embedded:io/i2c" {
  import type { I2cIoClass } from "@mayfly/secure-element/xs";

  const I2C: I2cIoClass;

  export { I2C as default };
}

declare module "embedded:io/socket/tcp" {
  import type { XsTcpClass } from "@mayfly/device/xs";

  const TCP: XsTcpClass;

  export { TCP as default };
}

declare module "embedded:io/socket/tcp/tls" {
  import type { XsTlsClass } from "@mayfly/device/xs";

  const TLSSocket: XsTlsClass;

  export { TLSSocket as default };
}

declare module "embedded:io/socket/udp" {
  import type { XsUdpClass } from "@mayfly/device/xs";

  const UDP: XsUdpClass;

  export { UDP as default };
}

declare module "net" {
  import type { XsNet } from "@mayfly/device/xs";

  const Net: XsNet;

  export { Net as default };
}

declare module "preference" {
  import type { XsPreference } from "@mayfly/device/xs";

  const Preference: XsPreference;

  export { Preference as default };
}

/** Bytes of a file that the manifest lists under `resources`; they lie in flash. */
declare module "Resource" {
  const Resource: new (path: string) => ArrayBuffer;

  export { Resource as default };
}

declare module "time" {
  import type { XsTime } from "@mayfly/device/xs";

  const Time: XsTime & {
    /** Sets the wall clock. @param seconds since 1970. */
    set(seconds: number): void;
  };

  export { Time as default };
}

declare module "timer" {
  import type { XsTimer } from "@mayfly/device/xs";

  const Timer: XsTimer & { repeat(callback: () => void, intervalMillis: number): unknown };

  export { Timer as default };
}

/** The SDK's console: a line over the serial port. */
declare function trace(text: string): void;
