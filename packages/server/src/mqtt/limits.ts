/**
 * Every maximum and every wait of the MQTT bridge, in one place.
 */

/** From the opening of the link to the answer to its CONNECT. */
export const connectTimeoutMillis = 10_000;
/** Of received bytes, kept for a peer that is not admitted. A token is at most 8 KiB, a Client Identifier 1 KiB. */
export const connectBytesMax = 16 * 1024;
/** Announced Maximum Packet Size: a payload of 256 KiB and what goes around it. */
export const packetBytesMax = 288 * 1024;
/** Network Connections at once. */
export const connectionMaxDefault = 20_000;
/** Of these, not yet admitted. */
export const unauthenticatedMaxDefault = 1_000;

/** QoS 1 PUBLISHes of one connection taken and not acknowledged (announced Receive Maximum). */
export const receiveMaximum = 20;
/** QoS 0 PUBLISHes of one connection handed to the store and not answered. */
export const qos0InFlightMax = 100;
/** PUBLISHes of all connections handed to the store and not answered; and their payload bytes. */
export const inFlightMessagesMax = 100_000;
export const inFlightBytesMax = 64 * 1024 * 1024;
/** From half of that on, one connection has at most this many; the others wait. */
export const busyReceiveMaximum = receiveMaximum / 2;
/** Connections told in one turn that there is room again. */
export const easedPerTurnMax = 500;
/** CONNECTs judged in one turn of the event loop, some 4 ms of it; the others wait for the next one. */
export const admissionsPerTurnMax = 32;
/** Decoded PUBLISHes held back per connection; one more may lie above it. Then the link is paused. */
export const heldBytesMax = 64 * 1024;
/** Of all connections together. Above it a connection stops reading as soon as it holds anything. */
export const heldBytesTotalMax = 64 * 1024 * 1024;
/** What a held PUBLISH counts for beside its payload. */
export const heldOverheadBytes = 64;
/** Topic Aliases a client may set (announced Topic Alias Maximum). */
export const topicAliasMaximum = 16;
/** A device's own message id (User Property `id`): longer ones are not taken as ids. */
export const messageIdBytesMax = 128;

/**
 * How long a connection whose message the store refused stays open, unread: this, and up to as much again by
 * chance, so that devices do not come back all at once to a store that is still full.
 */
export const storeWaitMillis = 5_000;
/** For so long a client that was refused because we are behind is asked to stay away: as long as a store may need. */
export const retryAfterSeconds = 10;
/** How long `drain` waits for what was taken to become durable. */
export const drainWaitMillis = 2_000;
/** A drain ends so many sessions at once, and the next as many after this pause, so that they come back spread … */
export const drainedAtOnce = 100;
export const drainPauseMillis = 200;
/** … in shorter pauses where all of it would take longer than this. */
export const drainSpreadMillisMax = 10_000;

/** How long a Session outlives its connection at most (announced Session Expiry Interval). */
export const sessionExpirySecondsMax = 86_400;
/** After a handover the old socket stays for the client's DISCONNECT at most this long. */
export const handoverWaitMillis = 2_000;
/**
 * Written and not yet taken by the network: above it a connection gets no more configs and commands. The host
 * gives a peer up that lets more than twice of this wait.
 */
export const outgoingBytesMax = 1024 * 1024;

/** A session's new token is verified at most this often; the CONNECT's own does not count. */
export const reauthenticationIntervalMillis = 5_000;

/** Config and commands at QoS 1 sent to one device and not acknowledged; less where its Receive Maximum is less. */
export const downlinkWindowMax = 20;
/** A config that could not be looked up is looked up again after this, for as long as it is subscribed to. */
export const configRetryMillis = 5_000;
/** How long the sender of a command waits for the device's PUBACK. */
export const commandTimeoutMillis = 5_000;
/** cloud-iot-core.md §4.10. */
export const commandBytesMax = 256 * 1024;

/** Devices attached to one gateway at once (cloud-iot-core.md §8). */
export const attachedMax = 1_000;
/** Payload of an attach: a token of 8 KiB and the JSON around it. */
export const attachBytesMax = 10 * 1024;
/** Attaches of one gateway: as many at once as it may have attached, then so many a second … */
export const attachesAtOnceMax = attachedMax;
export const attachesPerSecond = 50;
/** … and of these, such as were refused for what they showed. */
export const failedAttachesAtOnceMax = 100;
export const failedAttachesPerSecond = 1;
/** Gateways of which these allowances are remembered; some 200 bytes each. */
export const gatewayAllowancesMax = 4_096;
/** How long an attach waits for the registry. Nothing is read meanwhile. */
export const attachTimeoutMillis = 5_000;
/** Errors told to one connection: so many at once, then so many a second; the others are counted. */
export const gatewayErrorsAtOnceMax = 100;
export const gatewayErrorsPerSecond = 10;
/** Of a topic that an error quotes; characters. */
export const topicQuotedMax = 300;

/** Last-seen facts of one session go to the store at most this often. */
export const activityIntervalMillis = 1_000;
/** Sessions judged again in one turn after a change of the registry, or their deadlines worked out again. */
export const rejudgedPerTurnMax = 500;
