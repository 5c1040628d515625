/** Front door for the Moddable SDK: ports of the agent on a microcontroller. A firmware's `main` hands the modules in. */
export type {
  XsDigestClass,
  XsNet,
  XsPreference,
  XsSocket,
  XsSocketCallbacks,
  XsTcpClass,
  XsTcpOptions,
  XsTime,
  XsTimer,
  XsTlsClass,
  XsTlsOptions,
  XsTlsSettings,
  XsUdpClass,
  XsUdpOptions,
  XsUdpSocket,
} from "./moddable-types.ts";
export { createXsDatagrams, type XsDatagramPorts } from "./xs-datagrams.ts";
export { createXsConnect, type XsLinkPorts, type XsLinkTarget } from "./xs-link.ts";
export { type ChipRandom, createXsRandom } from "./xs-random.ts";
export { createXsSha256 } from "./xs-sha256.ts";
export { createXsStore } from "./xs-store.ts";
export { createXsClock, createXsTimers } from "./xs-time.ts";
