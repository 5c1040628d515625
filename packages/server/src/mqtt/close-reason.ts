/**
 * Why the bridge ends a live session, and what each party is told: the peer (MQTT 5 DISCONNECT; 3.1.1 knows
 * only the closed socket) and the device's page (`lastErrorStatus`, code and text as Cloud IoT Core had them
 * where they are known, cloud-iot-core.md §4.9).
 */

interface ReasonOnWire {
  /** MQTT 5.0 §3.14.2.1; undefined where the peer closed and hears nothing. */
  readonly mqtt5: number | undefined;
  /** MQTT 5 Reason String; only what the peer may know. */
  readonly reasonString?: string;
  /** google.rpc.Code and text for `lastErrorStatus`; absent where nothing went wrong. */
  readonly status?: { readonly code: number; readonly message: string };
}

export const closeReasons = {
  // The peer's own doing, politely or not.
  client_disconnected: { mqtt5: undefined },
  link_lost: {
    mqtt5: undefined,
    status: { code: 9, message: "mqtt: The connection broke or was closed by the client." },
  },

  // Time.
  token_expired: {
    mqtt5: 0x87,
    reasonString: "token_expired",
    status: { code: 16, message: "mqtt: SERVER: The authorization token expired." },
  },
  key_expired: {
    mqtt5: 0x87,
    reasonString: "key_expired",
    status: { code: 16, message: "mqtt: SERVER: The device's key expired." },
  },
  connection_maximum: {
    mqtt5: 0xa0,
    status: {
      code: 9,
      message: "mqtt: SERVER: The connection was closed because it reached its maximum time.",
    },
  },
  keep_alive: {
    mqtt5: 0x8d,
    status: {
      code: 4,
      message: "mqtt: SERVER: The connection was closed because MQTT keep-alive check failed.",
    },
  },

  // Its next token. The Reason String is the token's refusal where that may be named.
  reauthentication_refused: {
    mqtt5: 0x87,
    status: {
      code: 16,
      message: "mqtt: SERVER: The connection was closed because its new authorization token was refused.",
    },
  },
  reauthentication_too_often: {
    mqtt5: 0x96,
    status: {
      code: 8,
      message: "mqtt: SERVER: The connection was closed because of too many authorization tokens.",
    },
  },

  // The registry's word.
  /** By our own agent, with the same key: the next token's connection is up. */
  renewed: { mqtt5: 0x8e },
  /** By our own agent on a new connection of the same Session; only 3.1.1 has it, and hears nothing. */
  handed_over: { mqtt5: undefined },
  taken_over: {
    mqtt5: 0x8e,
    status: {
      code: 6,
      message:
        "mqtt: SERVER: The connection was closed because there is another active connection with the same device ID.",
    },
  },
  device_blocked: {
    mqtt5: 0x98,
    status: { code: 7, message: "mqtt: SERVER: The connection was closed because the device is blocked." },
  },
  device_deleted: { mqtt5: 0x98 },
  key_retired: {
    mqtt5: 0x98,
    status: {
      code: 16,
      message: "mqtt: SERVER: The connection was closed because the device's key was retired.",
    },
  },
  key_revoked: {
    mqtt5: 0x98,
    status: {
      code: 16,
      message: "mqtt: SERVER: The connection was closed because the device's key was revoked.",
    },
  },
  token_superseded: {
    mqtt5: 0x98,
    status: {
      code: 16,
      message: "mqtt: SERVER: The connection was closed because tokens of that age are no longer accepted.",
    },
  },
  policy_tightened: {
    mqtt5: 0x98,
    status: {
      code: 16,
      message: "mqtt: SERVER: The connection was closed because the registry's policy changed.",
    },
  },
  bridge_disabled: {
    mqtt5: 0x98,
    status: {
      code: 9,
      message: "mqtt: SERVER: The connection was closed because MQTT is disabled for the registry.",
    },
  },

  // What the peer sent. It is named: one Reason Code stands for several causes, and there are clients that read none
  // from a DISCONNECT without properties.
  malformed_packet: {
    mqtt5: 0x81,
    reasonString: "malformed_packet",
    status: { code: 3, message: "mqtt: SERVER: The connection was closed because of a malformed packet." },
  },
  protocol_error: {
    mqtt5: 0x82,
    reasonString: "protocol_error",
    status: { code: 3, message: "mqtt: SERVER: The connection was closed because of a protocol error." },
  },
  packet_too_large: {
    mqtt5: 0x95,
    reasonString: "packet_too_large",
    status: { code: 3, message: "mqtt: SERVER: The connection was closed because a message was too large." },
  },
  qos_not_supported: {
    mqtt5: 0x9b,
    reasonString: "qos_not_supported",
    status: { code: 3, message: "mqtt: SERVER: The connection was closed because QoS 2 is not supported." },
  },
  retain_not_supported: {
    mqtt5: 0x9a,
    reasonString: "retain_not_supported",
    status: {
      code: 3,
      message: "mqtt: SERVER: The connection was closed because retained messages are not supported.",
    },
  },
  topic_name_invalid: {
    mqtt5: 0x90,
    reasonString: "topic_name_invalid",
    status: {
      code: 3,
      message: "mqtt: SERVER: The connection was closed because of a publish to an unknown topic.",
    },
  },
  topic_not_own: {
    mqtt5: 0x87,
    reasonString: "topic_not_own",
    status: {
      code: 7,
      message: "mqtt: SERVER: The connection was closed because of a topic the device may not use.",
    },
  },
  topic_alias_invalid: {
    mqtt5: 0x94,
    reasonString: "topic_alias_invalid",
    status: {
      code: 3,
      message: "mqtt: SERVER: The connection was closed because of an invalid topic alias.",
    },
  },
  subscription_identifier: {
    mqtt5: 0xa1,
    reasonString: "subscription_identifier",
    status: {
      code: 3,
      message: "mqtt: SERVER: The connection was closed because Subscription Identifiers are not supported.",
    },
  },
  shared_subscription: {
    mqtt5: 0x9e,
    reasonString: "shared_subscription",
    status: {
      code: 3,
      message: "mqtt: SERVER: The connection was closed because Shared Subscriptions are not supported.",
    },
  },
  receive_maximum_exceeded: {
    mqtt5: 0x93,
    reasonString: "receive_maximum_exceeded",
    status: {
      code: 8,
      message: "mqtt: SERVER: The connection was closed because of too many unacknowledged messages.",
    },
  },

  state_rate_exceeded: {
    mqtt5: 0x96,
    reasonString: "state_rate_exceeded",
    status: {
      code: 8,
      message: "mqtt: SERVER: The connection was closed because the device state was updated too often.",
    },
  },

  /** More answers in one SUBACK or UNSUBACK than the client's Maximum Packet Size has room for. */
  answer_too_large: {
    mqtt5: 0x95,
    reasonString: "answer_too_large",
    status: {
      code: 3,
      message:
        "mqtt: SERVER: The connection was closed because an answer was above the client's Maximum Packet Size.",
    },
  },

  // Our own trouble.
  store_unavailable: {
    mqtt5: 0x97,
    status: {
      code: 8,
      message: "mqtt: SERVER: The connection was closed because messages cannot be stored now.",
    },
  },
  /** More than the store takes waits, and the client's PINGREQ would go unread for too long. */
  server_busy: {
    mqtt5: 0x89,
    status: {
      code: 14,
      message: "mqtt: SERVER: The connection was closed because the server is busy.",
    },
  },
  /** The registry changed and cannot be read: whether the right still holds is unknown. */
  registry_unavailable: {
    mqtt5: 0x89,
    status: {
      code: 14,
      message: "mqtt: SERVER: The connection was closed because the registry cannot be read now.",
    },
  },
  shutting_down: {
    mqtt5: 0x8b,
    status: {
      code: 14,
      message: "mqtt: SERVER: The connection is closed because the server is shutting down.",
    },
  },
} as const satisfies Readonly<Record<string, ReasonOnWire>>;

/** Closed set, fit for a metric's label. */
export type CloseReason = keyof typeof closeReasons;

/** @returns what the parties are told, with the optional parts visible to the type checker. */
export function reasonOnWire(reason: CloseReason): ReasonOnWire {
  return closeReasons[reason];
}
