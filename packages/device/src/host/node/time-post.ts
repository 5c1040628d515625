/**
 * Signed time over HTTPS, in the shape of a datagram's link: for networks that let no UDP out.
 *
 * The link is open once TLS is, so that the round trip is that of the question alone. The certificate is not checked:
 * a device that asks for the time cannot judge its dates. Nothing secret is sent, and what comes back is believed for
 * its signatures only, by whoever holds this link. A refusal is silence, as over UDP.
 */
import type { ClientRequest } from "node:http";
import { request } from "node:https";
import { isIP } from "node:net";
import { timeAnswerBytes } from "@mayfly/core/time-answer";
import type { DatagramEvents, OpenDatagram } from "../../ports.ts";

/** Of the bridge's device HTTPS listener. */
export interface TimePostTarget {
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
}

/** @returns Links that lead to `target`, whatever peer they are asked for; each carries one question. */
export function createTimePost(target: TimePostTarget): OpenDatagram {
  return (_peer, events) => {
    let isClosed = false;
    let isSent = false;
    const outgoing = openRequest(target);
    outgoing.on("socket", (socket) => {
      socket.once("secureConnect", () => {
        if (!isClosed) events.opened();
      });
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      if (isClosed) return;
      isClosed = true;
      events.failed(error.code ?? error.name);
    });
    deliverAnswer(outgoing, (bytes) => {
      if (!isClosed) events.received(bytes);
    });
    return {
      send(bytes) {
        if (isSent || isClosed) return;
        isSent = true;
        outgoing.end(bytes);
      },
      close() {
        isClosed = true;
        outgoing.destroy();
      },
    };
  };
}

function openRequest({ host, port }: TimePostTarget): ClientRequest {
  return request({
    host,
    port,
    path: "/mayfly/v1/time",
    method: "POST",
    // Of its own, and gone with the question.
    agent: false,
    rejectUnauthorized: false,
    headers: { "content-type": "application/octet-stream", "content-length": timeAnswerBytes },
    ...(isIP(host) === 0 ? { servername: host } : undefined),
  });
}

function deliverAnswer(outgoing: ClientRequest, received: DatagramEvents["received"]): void {
  outgoing.on("response", (answer) => {
    const bytes = new Uint8Array(timeAnswerBytes);
    let length = 0;
    answer.on("data", (part: Uint8Array) => {
      // What is longer is a refusal's sentence or nonsense; it is read to its end and kept by nobody.
      if (length + part.length <= timeAnswerBytes) bytes.set(part, length);
      length += part.length;
    });
    answer.on("end", () => {
      if (answer.statusCode === 200 && length === timeAnswerBytes) received(bytes);
    });
  });
}
