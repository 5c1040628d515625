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
export const opcodesNotDone = [
  { opcode: 0x01, name: "Pause (older parts)" },
  { opcode: 0x11, name: "HMAC (older parts)" },
  { opcode: 0x1c, name: "DeriveKey" },
  { opcode: 0x43, name: "ECDH" },
  { opcode: 0x46, name: "PrivWrite" },
  { opcode: 0x51, name: "AES" },
  { opcode: 0x56, name: "KDF" },
  { opcode: 0x80, name: "SecureBoot" },
] as const;
