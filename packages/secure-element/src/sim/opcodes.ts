/** Opcodes this simulator carries out; all others answer 03. */
export const opcode = {
  read: 0x02,
  mac: 0x08,
  write: 0x12,
  genDig: 0x15,
  nonce: 0x16,
  lock: 0x17,
  random: 0x1b,
  updateExtra: 0x20,
  counter: 0x24,
  checkMac: 0x28,
  info: 0x30,
  genKey: 0x40,
  sign: 0x41,
  verify: 0x45,
  sha: 0x47,
  selfTest: 0x77,
} as const;

/** Opcodes of the family we know by name and answer 03: they are not described well enough to be right. */
export const opcodesNotDone = {
  17: "HMAC (older parts)",
  1: "Pause (older parts)",
  28: "DeriveKey",
  67: "ECDH",
  70: "PrivWrite",
  81: "AES",
  86: "KDF",
  128: "SecureBoot",
} as const;
