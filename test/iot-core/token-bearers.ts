/**
 * One token shown at both bridges, and what can be seen of the answers: CONNACK's code, and the whole of an HTTP answer.
 *
 * Bytes are written by hand: a client library would mend or refuse what a hostile row is about.
 */
import type { TLSSocket } from "node:tls";
import { connectPacket, disconnectPacket, packetType, RawConnection } from "../process/raw-mqtt.ts";
import { field, framed } from "./hostile-bytes.ts";

export interface Answer {
  /** In words: `accepted`, `refused`, or what else came. */
  readonly outcome: string;
  /** The one reason a peer may be told; else "". */
  readonly named: string;
  /** All that was said, but for times. */
  readonly text: string;
}

const namedReasons = ["token_expired", "token_from_future"];

/** 3.1.1: by the Password. 5.0: likewise, so that a token of any bytes can be shown. */
export async function showToMqtt(
  socket: TLSSocket,
  version: 4 | 5,
  clientIdentifier: string,
  token: string | Buffer,
): Promise<Answer> {
  const connection = new RawConnection(socket);
  try {
    const connack = await connection.ask(
      connectWith(version, clientIdentifier, Buffer.from(token)),
      packetType.connack,
    );
    const code = connack[1] ?? -1;
    const named = namedReasons.find((reason) => connack.includes(reason)) ?? "";
    const text = connack.toString("latin1").replace(/\d+\.\d{3}/, "");
    if (code === 0) return { outcome: "accepted", named, text };
    return { outcome: code === (version === 5 ? 0x87 : 5) ? "refused" : `CONNACK ${code}`, named, text };
  } finally {
    connection.send(disconnectPacket);
    await connection.cut;
  }
}

function connectWith(version: 4 | 5, clientIdentifier: string, token: Buffer): Buffer {
  // The packet of an empty token, with ours in its place: Password is the last field.
  const bare = connectPacket({ version, clientIdentifier, userName: "unused", token: "" });
  const headEnd = bare.findIndex((byte, index) => index > 0 && byte < 0x80) + 1;
  return framed("10", Buffer.concat([bare.subarray(headEnd, -2), field(token)]));
}

/** Asks for the config, with the token as it is behind `Bearer`. */
export async function showToHttp(
  socket: TLSSocket,
  clientIdentifier: string,
  token: string | Buffer,
): Promise<Answer> {
  const head = `GET /v1/${clientIdentifier}/config HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer `;
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.write(Buffer.concat([Buffer.from(head), Buffer.from(token), Buffer.from("\r\n\r\n")]));
  await ended;
  const answer = Buffer.concat(chunks).toString();
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? `nothing of HTTP: ${answer.slice(0, 20)}`;
  const named = /^mayfly-refusal: (.*)\r$/im.exec(answer)?.[1] ?? "";
  const text = answer.slice(answer.indexOf("\r\n\r\n"));
  const outcomes: Readonly<Record<string, string>> = { 200: "accepted", 400: "bad request", 403: "refused" };
  return { outcome: outcomes[status] ?? status, named, text };
}
