/**
 * Authentication Methods of MQTT 5.0 (§4.12) that the bridge offers.
 *
 * `mayfly-jwt`: the device's token is the Authentication Data, in CONNECT and in each AUTH. One step, so the
 * bridge answers at once and never with 0x18. A method of more steps, as the planned `mayfly-jwt-nonce` (AUTH
 * 0x18 with a nonce and the time; the token carries the nonce), gets its row here and its steps in
 * `reauthentication.ts`.
 */

export const authenticationMethods = ["mayfly-jwt"] as const;

export type AuthenticationMethod = (typeof authenticationMethods)[number];

/** @returns undefined for a method that is not offered. */
export function findAuthenticationMethod(name: string): AuthenticationMethod | undefined {
  return authenticationMethods.find((method) => method === name);
}
