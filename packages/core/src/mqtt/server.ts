/**
 * The server's half of the codec: encodes what a server sends, decodes what a client sends.
 */

export { encodeAcknowledgement, encodePuback } from "./acknowledgement.encode.ts";
export { encodeAuth } from "./auth.encode.ts";
export { encodeConnack } from "./connack.encode.ts";
export { encodeDisconnect } from "./disconnect.encode.ts";
export { encodePingresp } from "./pingresp.encode.ts";
export { encodePublish } from "./publish.encode.ts";
export { ServerDecoder } from "./server-decoder.ts";
export { encodeServerPacket } from "./server-packet.encode.ts";
export { encodeSuback } from "./suback.encode.ts";
export { encodeUnsuback } from "./unsuback.encode.ts";
