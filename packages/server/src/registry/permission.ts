/**
 * What a caller of the admin API may be allowed to do. Cloud IoT Core's names where it had one, `mayfly.*` else.
 *
 * Left to others: who holds which (`admin-token.ts` today: the admin token holds all of them).
 */
export const permissions = [
  "cloudiot.registries.create",
  "cloudiot.registries.get",
  "cloudiot.registries.list",
  "cloudiot.registries.update",
  "cloudiot.registries.delete",
  "cloudiot.devices.create",
  "cloudiot.devices.get",
  "cloudiot.devices.list",
  "cloudiot.devices.update",
  "cloudiot.devices.delete",
  "cloudiot.devices.updateConfig",
  "cloudiot.devices.sendCommand",
  "cloudiot.devices.bindGateway",
  "cloudiot.devices.unbindGateway",
  "pubsub.subscriptions.create",
  "pubsub.subscriptions.get",
  "pubsub.subscriptions.list",
  "pubsub.subscriptions.delete",
  "pubsub.subscriptions.consume",
  "mayfly.keys.list",
  "mayfly.keys.add",
  "mayfly.keys.update",
  "mayfly.devices.instruct",
  "mayfly.sessions.get",
  "mayfly.authentications.list",
  "mayfly.telemetry.tail",
  "mayfly.metrics.get",
] as const;

export type Permission = (typeof permissions)[number];
