/**
 * Why a live connection may end, as the standard and design §5, §7 and §9 say: each cause with what must then be
 * true, and with the Reason Code that a 5.0 client is told.
 */
import { expect, type SocketNote } from "./notes.ts";
import { findDeadline, type House, type Registered } from "./rights.ts";

export interface EndScene {
  readonly house: House;
  readonly nowMillis: number;
  readonly nowSeconds: number;
  readonly isDraining: boolean;
  /** States of the registry within the second, the present one last. */
  readonly recent: readonly Registered[];
}

/** Reason Codes of MQTT 5.0 §3.14.2.1; undefined where nothing is said. */
const codes: Readonly<Record<string, number | undefined>> = {
  client_disconnected: undefined,
  link_lost: undefined,
  handed_over: undefined,
  token_expired: 0x87,
  key_expired: 0x87,
  reauthentication_refused: 0x87,
  connection_maximum: 0xa0,
  keep_alive: 0x8d,
  reauthentication_too_often: 0x96,
  renewed: 0x8e,
  taken_over: 0x8e,
  device_blocked: 0x98,
  device_deleted: 0x98,
  key_retired: 0x98,
  key_revoked: 0x98,
  protocol_error: 0x82,
  receive_maximum_exceeded: 0x93,
  store_unavailable: 0x97,
  shutting_down: 0x8b,
};

/** The store answers a connection it refused after 5 to 10 s (design §9: withhold, then DISCONNECT 0x97). */
const storeWaitMillis = 5_000;

export function checkEnd(socket: SocketNote, because: string, scene: EndScene): void {
  const what = `${socket.name} ended by ${because}`;
  expect(because in codes, `${what}, a cause the oracle does not know`);
  const code = socket.isLost ? undefined : codes[because];
  const told = socket.version === 5 ? code : undefined;
  expect(socket.byeCode === told, `${what}: DISCONNECT said ${socket.byeCode}, should say ${told}`);
  expect(isJustified(socket, because, scene), `${what} without that cause`);
}

function isJustified(socket: SocketNote, because: string, scene: EndScene): boolean {
  const { house, nowMillis, nowSeconds, recent } = scene;
  const keyIn = (state: string) =>
    recent.some(({ keys }) => socket.token !== undefined && keys[socket.token.key]?.state === state);
  switch (because) {
    case "client_disconnected":
      return socket.saidGoodbye;
    case "link_lost":
      return socket.isLost;
    case "token_expired":
    case "key_expired":
      // To the millisecond, which is what a sum of seconds is good for.
      return nowSeconds >= socket.rightEnds[0] - 0.001 || recentlyExpired(socket, scene);
    case "connection_maximum":
      return nowMillis >= socket.admittedMillis + house.connectionMaxSeconds * 1000;
    case "keep_alive":
      return nowMillis >= silenceEndsMillis(socket, house);
    case "device_blocked":
      return recent.some(({ isBlocked }) => isBlocked);
    case "device_deleted":
      return recent.some(({ exists, generation }) => !exists || generation !== socket.generation);
    case "key_retired":
    case "key_revoked":
      return keyIn(because.slice("key_".length));
    case "store_unavailable":
      return nowMillis >= socket.storeRefusedMillis + storeWaitMillis;
    case "shutting_down":
      return scene.isDraining;
    case "taken_over":
    case "renewed":
    case "handed_over":
      // Checked when the other one is in.
      return true;
    default:
      return socket.faults.has(because);
  }
}

function recentlyExpired(socket: SocketNote, { house, nowSeconds, recent }: EndScene): boolean {
  const { token } = socket;
  return (
    token !== undefined &&
    recent.some((state) => {
      const timeless = { ...state, isBlocked: false };
      return state.exists && findDeadline(token, timeless, nowSeconds, house) === undefined;
    })
  );
}

/** Monotonic: a peer that is silent until then may be cut (MQTT 5.0 §3.1.2.10, 3.1.1 by the registry's maximum). */
export function silenceEndsMillis(socket: SocketNote, house: House): number {
  const asked = socket.asked?.keepAliveSeconds ?? 0;
  const named = asked > 0 && asked <= house.idleMaxSeconds ? asked : undefined;
  const seconds =
    named === undefined
      ? socket.version === 5
        ? house.idleMaxSeconds * 1.5
        : house.idleMaxSeconds
      : named * 1.5;
  return socket.lastArrivalMillis + seconds * 1000;
}
