/**
 * Links to the bridge over the SDK's sockets: one at a time, because a TLS session is the dearest thing on the chip.
 *
 * A second link takes the first one's place: the first is over before the second is looked up. So a renewal that needs
 * a new connection costs this machine a gap, and one within the connection (MQTT 5) costs none.
 *
 * The SDK writes what it has room for and throws otherwise, so what there is no room for waits here, in order. A throw
 * ends the link: over TLS the record's number is used up and the peer would not take the next. The TLS session itself
 * throws out of the callbacks of the socket below it (a certificate it does not like); uncaught that would restart the
 * chip, so those callbacks are wrapped.
 */
import type { ByteLink } from "@mayfly/core";
import type { Connect, LinkEvents } from "../../ports.ts";
import type {
  XsNet,
  XsSocket,
  XsTcpClass,
  XsTcpOptions,
  XsTimer,
  XsTlsClass,
  XsTlsSettings,
} from "./moddable-types.ts";

/** What may wait for room in the socket: the outbox of a small device and the packets around it. */
export const outgoingBytesMax = 8 * 1024;
/** What a TLS record costs beside its contents, as the SDK estimates it. */
const recordBytesMax = 96;
/** How long a link that was closed may take to write what it still holds. */
export const closeWaitMillis = 2_000;

export interface XsLinkPorts {
  readonly net: XsNet;
  readonly timer: XsTimer;
  readonly tcp: XsTcpClass;
  /** Absent: plain TCP, for a bench where the network is trusted. */
  readonly tls?: { readonly io: XsTlsClass; readonly secure: XsTlsSettings };
}

export interface XsLinkTarget {
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
}

export function createXsConnect(ports: XsLinkPorts, target: XsLinkTarget): Connect {
  let current: XsLink | undefined;
  return (events) => {
    current?.giveWay();
    const link = new XsLink(ports, target, events);
    current = link;
    return link;
  };
}

class XsLink implements ByteLink {
  readonly #ports: XsLinkPorts;
  readonly #target: XsLinkTarget;
  /** Absent once the link is over. */
  #events: LinkEvents | undefined;
  #socket: XsSocket | undefined;
  #isOpen = false;
  #isClosing = false;
  #isPaused = false;
  #hasUnread = false;
  #room = 0;
  /** What waits for room, in order. */
  readonly #outgoing: Uint8Array[] = [];
  #outgoingBytes = 0;
  #closeTimer: unknown;

  constructor(ports: XsLinkPorts, target: XsLinkTarget, events: LinkEvents) {
    this.#ports = ports;
    this.#target = target;
    this.#events = events;
    try {
      ports.net.resolve(target.host, (_name, address) => this.#resolved(address));
    } catch {
      this.#soon(() => this.#end("the resolver is busy"));
    }
  }

  get bufferedBytes(): number {
    return this.#outgoingBytes;
  }

  write(bytes: Uint8Array): void {
    if (!this.#isOpen || this.#isClosing || this.#events === undefined) return;
    if (this.#outgoingBytes + bytes.length > outgoingBytesMax) {
      this.#soon(() => this.#end("the bridge reads too slowly"));
      return;
    }
    this.#outgoing.push(bytes);
    this.#outgoingBytes += bytes.length;
    this.#drain();
  }

  close(): void {
    if (this.#isClosing || this.#events === undefined) return;
    this.#isClosing = true;
    if (!this.#isOpen || this.#outgoingBytes === 0) {
      this.#end("");
      return;
    }
    this.#closeTimer = this.#ports.timer.set(() => {
      this.#closeTimer = undefined;
      this.#end("");
    }, closeWaitMillis);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#hasUnread) this.#soon(() => this.#read());
  }

  /** Another link takes this one's place. */
  giveWay(): void {
    const events = this.#release();
    if (events !== undefined) this.#soon(() => events.closed("another connection took its place"));
  }

  #resolved(address: string | undefined): void {
    if (this.#events === undefined) return;
    if (address === undefined) {
      this.#end("the bridge's name is not known");
      return;
    }
    try {
      this.#socket = this.#open(address);
    } catch {
      this.#end("no socket");
    }
  }

  #open(address: string): XsSocket {
    const { tcp: Tcp, tls } = this.#ports;
    const options: XsTcpOptions = {
      address,
      port: this.#target.port,
      onReadable: () => this.#read(),
      onWritable: (byteLength) => this.#writable(byteLength),
      onError: () => this.#end(this.#isOpen ? "" : "no connection"),
    };
    if (tls === undefined) return new Tcp(options);
    const { io: Tls, secure } = tls;
    const fail = (): void => this.#end("TLS failed");
    return new Tls({ ...options, host: this.#target.host, secure, TCP: { io: guarded(Tcp, fail) } });
  }

  #writable(byteLength: number): void {
    if (this.#events === undefined) return;
    this.#room = byteLength;
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#events.opened();
    }
    this.#drain();
  }

  #drain(): void {
    let next = this.#outgoing[0];
    while (next !== undefined && this.#room > 0 && this.#socket !== undefined) {
      const piece = next.length <= this.#room ? next : next.subarray(0, this.#room);
      let room: number | undefined;
      try {
        room = this.#socket.write(piece);
      } catch {
        this.#soon(() => this.#end("the socket did not take what it had room for"));
        return;
      }
      // Whichever is less: the SDK's TLS socket counts its own overhead only when it hears of room again.
      const least = this.#room - piece.length - (this.#ports.tls === undefined ? 0 : recordBytesMax);
      this.#room = room === undefined ? least : Math.min(room, least);
      this.#outgoingBytes -= piece.length;
      if (piece.length < next.length) this.#outgoing[0] = next.subarray(piece.length);
      else this.#outgoing.shift();
      next = this.#outgoing[0];
    }
    if (this.#isClosing && next === undefined) this.#end("");
  }

  #read(): void {
    this.#hasUnread = this.#isPaused;
    if (this.#isPaused || this.#isClosing || this.#events === undefined) return;
    const bytes = this.#socket?.read();
    if (bytes !== undefined && bytes.byteLength > 0) this.#events.received(new Uint8Array(bytes));
  }

  #end(because: string): void {
    this.#release()?.closed(because);
  }

  /** Lets go of the socket and all that waits. @returns Whom to tell, the first time. */
  #release(): LinkEvents | undefined {
    const events = this.#events;
    const socket = this.#socket;
    this.#events = undefined;
    this.#socket = undefined;
    this.#outgoing.length = 0;
    this.#outgoingBytes = 0;
    if (this.#closeTimer !== undefined) this.#ports.timer.clear(this.#closeTimer);
    this.#closeTimer = undefined;
    // The SDK's TLS socket closes what its constructor has not finished making; nothing is to be saved there.
    try {
      socket?.close();
    } catch {}
    return events;
  }

  /** Not within the call that found out: whoever writes must not be told of an end in the middle of it. */
  #soon(run: () => void): void {
    this.#ports.timer.set(run, 0);
  }
}

/** The class below a TLS session, with callbacks out of which nothing is thrown. */
function guarded(Tcp: XsTcpClass, failed: () => void): XsTcpClass {
  const guard = (run: () => void): void => {
    try {
      run();
    } catch {
      failed();
    }
  };
  return class extends Tcp {
    constructor(options: XsTcpOptions) {
      super({
        ...options,
        onReadable: (byteLength) => guard(() => options.onReadable(byteLength)),
        onWritable: (byteLength) => guard(() => options.onWritable(byteLength)),
        onError: () => guard(() => options.onError()),
      });
    }
  };
}
