/**
 * As much of the Moddable SDK and of ECMA-419 as the agent uses, as interfaces: a firmware's `main` hands the modules
 * in, so nothing here imports the SDK. The published typings are older than the SDK and disagree with it in places;
 * where they do, these follow its sources (8.2).
 */

/** A TCP or TLS socket in buffer format. */
export interface XsSocket {
  /** What has arrived, all of it where no count is given; `undefined` where there is nothing. */
  read(byteLength?: number): ArrayBuffer | undefined;
  /**
   * Takes all bytes or throws "would block". @returns How many more it takes now; `undefined` where it does not say or
   * has failed, which `onError` tells later.
   */
  write(bytes: Uint8Array): number | undefined;
  close(): void;
}

export interface XsSocketCallbacks {
  /** @param byteLength How much can be read. */
  onReadable(byteLength: number): void;
  /** The first one means connected. @param byteLength How much can be written. */
  onWritable(byteLength: number): void;
  /** The connection is over, whichever way; there is no reason in it. */
  onError(): void;
}

export interface XsTcpOptions extends XsSocketCallbacks {
  /** Numeric. */
  readonly address: string;
  readonly port: number;
}

/** What `embedded:io/socket/tcp` exports. */
export interface XsTcpClass {
  new (options: XsTcpOptions): XsSocket;
}

export interface XsTlsOptions extends XsTcpOptions {
  /** Server name. */
  readonly host: string;
  readonly secure: XsTlsSettings;
  /** The class of the connection below. */
  readonly TCP: { readonly io: XsTcpClass };
}

/** What `embedded:io/socket/tcp/tls` exports. */
export interface XsTlsClass {
  new (options: XsTlsOptions): XsSocket;
}

/** Options of the SDK's TLS session; certificates are DER. */
export interface XsTlsSettings {
  readonly certificate?: ArrayBuffer | Uint8Array;
  readonly tls_max_fragment_length?: number;
  readonly cache?: boolean;
}

export interface XsUdpSocket {
  /** One datagram, which knows where it came from; `undefined` where there is none. */
  read(): (ArrayBuffer & { readonly address: string; readonly port: number }) | undefined;
  write(bytes: Uint8Array, address: string, port: number): void;
  close(): void;
}

export interface XsUdpOptions {
  /** @param count Datagrams that wait. */
  onReadable(count: number): void;
}

/** What `embedded:io/socket/udp` exports. */
export interface XsUdpClass {
  new (options: XsUdpOptions): XsUdpSocket;
}

/** The module `net`. */
export interface XsNet {
  /** Calls back once, later. @param address Absent where the name is not known. @throws where too many ask at once. */
  resolve(name: string, callback: (name: string, address?: string) => void): void;
}

/** The module `time`. */
export interface XsTime {
  /** Milliseconds, signed 32-bit on a microcontroller: rolls over every 50 days. */
  readonly ticks: number;
  /** From `start` to now, right across one roll-over. */
  delta(start: number): number;
}

/** The module `timer`. A timer that has run is no longer one: to clear it throws. */
export interface XsTimer {
  /** @param delayMillis Compared as signed 32-bit: less than 2^31. */
  set(callback: () => void, delayMillis: number): unknown;
  clear(timer: unknown): void;
}

/** The module `preference`: NVS on ESP32. Domain and key have at most 15 characters, a value at most 4,000 bytes. */
export interface XsPreference {
  get(domain: string, key: string): string | boolean | number | ArrayBuffer | undefined;
  set(domain: string, key: string, value: ArrayBuffer): void;
}

/** `Digest` of the module `crypt`. */
export interface XsDigestClass {
  new (
    type: "SHA256",
  ): {
    write(bytes: ArrayBuffer): void;
    close(): ArrayBuffer;
  };
}
