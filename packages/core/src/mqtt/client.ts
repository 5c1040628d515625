/**
 * The client's half of the codec: encodes what a client sends, decodes what a server sends.
 *
 * A device bundles this door alone; nothing here reaches the server's half (`client.test.ts` walks the imports).
 */

export { encodeAcknowledgement, encodePuback } from "./acknowledgement.encode.ts";
export { encodeAuth } from "./auth.encode.ts";
export { ClientDecoder } from "./client-decoder.ts";
export { encodeClientPacket } from "./client-packet.encode.ts";
export { encodeConnect } from "./connect.encode.ts";
export { encodeDisconnect } from "./disconnect.encode.ts";
export { encodePingreq } from "./pingreq.encode.ts";
export { encodePublish } from "./publish.encode.ts";
export { encodeSubscribe } from "./subscribe.encode.ts";
export { encodeUnsubscribe } from "./unsubscribe.encode.ts";
