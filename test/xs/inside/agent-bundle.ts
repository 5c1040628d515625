/** What a microcontroller loads to be a device: the agent and its adapters for the SDK. Nothing runs yet. */
export { createSha256 } from "@mayfly/core/sha256";
export { createAgent } from "@mayfly/device";
export { createXsClock, createXsConnect, createXsRandom, createXsTimers } from "@mayfly/device/xs";
