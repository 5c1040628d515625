/** Who this device is and where it calls: what differs from one device to the next. No secret is in here. */
export const settings = {
  device: { project: "mayfly", location: "here", registry: "sensors", device: "sensor-1" },
  bridge: { host: "bridge.example", port: 8883 },
  /** The slot whose key the registry knows, by this name. */
  key: { slot: 0, keyId: "slot-0" },
  /** Of different operators; a majority of three has to agree. */
  timeServers: ["ntp1.example", "ntp2.example", "ntp3.example", "ntp4.example"],
  /** When this program was built, seconds since 1970: no earlier time is believed. Set it with each build. */
  buildFloorSeconds: 1_793_491_200,
  /** Between two readings. */
  reportMillis: 60_000,
} as const;
