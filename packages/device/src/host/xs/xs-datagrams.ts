/**
 * Datagrams over the SDK's UDP, all peers through one socket: lwIP on the chip has four for everything.
 *
 * The socket is there while anybody uses it. A datagram goes to the peer whose address and port it came from, and to
 * nobody otherwise.
 */
import type { DatagramEvents, DatagramLink, OpenDatagram } from "../../ports.ts";
import type { XsNet, XsTimer, XsUdpClass, XsUdpSocket } from "./moddable-types.ts";

/** As many time servers as a device asks at once. */
export const peersMax = 4;
export const datagramBytesMax = 1_200;

export interface XsDatagramPorts {
  readonly net: XsNet;
  readonly timer: XsTimer;
  readonly udp: XsUdpClass;
}

type Peer = {
  readonly port: number;
  readonly events: DatagramEvents;
  /** Numeric; absent until the name is known. */
  address: string | undefined;
};

export function createXsDatagrams(ports: XsDatagramPorts): OpenDatagram {
  const peers: Peer[] = [];
  let socket: XsUdpSocket | undefined;

  const receive = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const bytes = socket?.read();
      if (bytes === undefined) return;
      const from = peers.find(({ address, port }) => address === bytes.address && port === bytes.port);
      from?.events.received(new Uint8Array(bytes));
    }
  };

  const leave = (peer: Peer): boolean => {
    const at = peers.indexOf(peer);
    if (at < 0) return false;
    peers.splice(at, 1);
    if (peers.length > 0) return true;
    socket?.close();
    socket = undefined;
    return true;
  };

  const fail = (peer: Peer, because: string): void => {
    if (leave(peer)) peer.events.failed(because);
  };

  const open = (peer: Peer, address: string | undefined): void => {
    if (!peers.includes(peer)) return;
    if (address === undefined) {
      fail(peer, "the name is not known");
      return;
    }
    try {
      socket ??= new ports.udp({ onReadable: receive });
    } catch {
      fail(peer, "no socket");
      return;
    }
    peer.address = address;
    peer.events.opened();
  };

  return ({ host, port }, events): DatagramLink => {
    const peer: Peer = { port, events, address: undefined };
    const isFull = peers.length >= peersMax;
    peers.push(peer);
    try {
      if (isFull) ports.timer.set(() => fail(peer, "too many peers"), 0);
      else ports.net.resolve(host, (_name, address) => open(peer, address));
    } catch {
      ports.timer.set(() => fail(peer, "the resolver is busy"), 0);
    }
    return {
      send(bytes) {
        if (peer.address === undefined || !peers.includes(peer)) return;
        if (bytes.length > datagramBytesMax) throw new RangeError(`more than ${datagramBytesMax} bytes`);
        try {
          socket?.write(bytes, peer.address, peer.port);
        } catch {
          // As lost as any datagram: whoever waits for an answer has a deadline.
        }
      },
      close() {
        leave(peer);
      },
    };
  };
}
