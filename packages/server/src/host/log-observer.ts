/**
 * The bridges' events as log lines. Facts for an operator, never a token, a key or a signature.
 *
 * Per-message events stay out of the log: metrics count them. Refusals are the one thing a hostile peer can
 * make us write, so beyond a fixed rate they are counted and told once in one line.
 */
import { formatDeviceName } from "@mayfly/core";
import type { Logger } from "pino";
import type { DeviceApiObserver } from "../http/device-observer.ts";
import type { BridgeObserver } from "../mqtt/observer.ts";

/** Refusal lines per second; the rest is summed up. */
export const refusalLinesPerSecond = 20;

export function createLogObserver(
  log: Logger,
  monotonicMillis: () => number,
): BridgeObserver & DeviceApiObserver {
  let second = 0;
  let written = 0;
  let suppressed = 0;

  function mayWrite(): boolean {
    const now = Math.floor(monotonicMillis() / 1000);
    if (now !== second) {
      if (suppressed > 0) log.warn({ event: "refusals_not_logged", count: suppressed });
      second = now;
      written = 0;
      suppressed = 0;
    }
    if (written < refusalLinesPerSecond) {
      written += 1;
      return true;
    }
    suppressed += 1;
    return false;
  }

  return {
    verified() {},
    attempted() {},
    // Whoever raises an alarm limits how often: it is never held back here.
    alarm({ kind, device, addresses, keyId, otherDevice }) {
      log.warn({
        event: "alarm",
        kind,
        device: formatDeviceName(device),
        addresses,
        key: keyId,
        otherDevice: otherDevice === undefined ? undefined : formatDeviceName(otherDevice),
      });
    },
    published() {},
    acknowledged() {},
    gatewayError() {},
    sent() {},
    requestAnswered() {},
    connected({ principal, protocolVersion, link, linkBefore, tookOver, resumed, deadlineSeconds }) {
      log.info({
        event: tookOver ? "taken_over" : "connected",
        device: devicePathOf(principal),
        key: principal.keyId,
        mqtt: protocolVersion,
        address: link.remoteAddress,
        ...(linkBefore === undefined ? {} : { addressBefore: linkBefore.remoteAddress }),
        ...(resumed ? { sessionResumed: true } : {}),
        tls: link.tlsVersion,
        resumed: link.tlsResumed,
        deadline: new Date(deadlineSeconds * 1000).toISOString(),
        ...(principal.leniencies.length > 0 ? { leniencies: principal.leniencies } : {}),
      });
    },
    renewed({ principal, keyChanged, secondsLeft, link }) {
      log.info({
        event: "renewed",
        device: devicePathOf(principal),
        key: principal.keyId,
        ...(keyChanged ? { keyChanged } : {}),
        address: link.remoteAddress,
        secondsLeft: Math.round(secondsLeft),
        deadline: new Date(principal.deadlineSeconds * 1000).toISOString(),
      });
    },
    renewalRefused({ principal, because, authenticity, link }) {
      if (!mayWrite()) return;
      log.warn({
        event: "renewal_refused",
        because,
        device: devicePathOf(principal),
        authenticity,
        address: link.remoteAddress,
      });
    },
    connectRefused({ because, deviceName, authenticity, link }) {
      if (!mayWrite()) return;
      log.warn({
        event: "connect_refused",
        because,
        device: deviceName === undefined ? undefined : formatDeviceName(deviceName),
        authenticity,
        address: link.remoteAddress,
      });
    },
    requestRefused({ because, deviceName, authenticity, remoteAddress }) {
      if (!mayWrite()) return;
      log.warn({
        event: "request_refused",
        because,
        device: deviceName === undefined ? undefined : formatDeviceName(deviceName),
        authenticity,
        address: remoteAddress,
      });
    },
    disconnected({ principal, because, link, connectedMillis, unacknowledged }) {
      log.info({
        event: "disconnected",
        because,
        device: devicePathOf(principal),
        address: link.remoteAddress,
        connectedSeconds: Math.round(connectedMillis / 1000),
        unacknowledged,
      });
    },
    attached({ principal, gateway, isRenewal, link }) {
      log.info({
        event: isRenewal ? "attach_renewed" : "attached",
        device: devicePathOf(principal),
        gateway: gateway.deviceId,
        ...(principal.keyId === "" ? undefined : { key: principal.keyId }),
        address: link.remoteAddress,
      });
    },
    attachRefused({ because, device, gateway, code, link }) {
      if (!mayWrite()) return;
      log.warn({
        event: "attach_refused",
        because,
        code,
        device: formatDeviceName({ ...gateway.registry, device }),
        gateway: gateway.deviceId,
        address: link.remoteAddress,
      });
    },
    detached({ principal, gateway, because, link }) {
      log.info({
        event: "detached",
        because,
        device: devicePathOf(principal),
        gateway: gateway.deviceId,
        address: link.remoteAddress,
      });
    },
    notStored({ qos, because }) {
      if (mayWrite()) log.error({ event: "message_not_stored", qos, because });
    },
  };
}

function devicePathOf(principal: {
  readonly registry: { readonly project: string; readonly location: string; readonly registry: string };
  readonly deviceId: string;
}): string {
  return formatDeviceName({ ...principal.registry, device: principal.deviceId });
}
