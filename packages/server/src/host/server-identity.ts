/**
 * Server identity: who the bridge is to a device that checks certificates.
 *
 * Two P-256 roots are made at the first start. The first issues a 90-day end-entity certificate, renewed 30
 * days before its end and swapped in without a restart. The second only waits: devices learn both roots from
 * the `ca` file on their first day, so that losing the first root costs no device its trust. The second root's
 * key is written encrypted, with its passphrase beside it, into `carry-away/`: both belong off this machine
 * (and apart from each other) as soon as somebody can take them.
 *
 * This is never the Device CA, which vouches for devices and lives in the factory (design §3).
 */
import "reflect-metadata";
import { createPrivateKey, KeyObject, randomBytes, webcrypto, X509Certificate } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";

const day = 86_400_000;
const rootLifetimeMillis = 20 * 365 * day;
const leafLifetimeMillis = 90 * day;
const renewBeforeMillis = 30 * day;
const ecdsaP256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** PEM: an end-entity certificate, with its chain where there is one, and its key. */
export interface CertifiedKey {
  readonly cert: string;
  readonly key: string;
}

export interface ServerIdentity extends CertifiedKey {
  /** For clients that offer ECDHE-RSA alone; the operator's, since our own roots are P-256. */
  readonly rsa?: CertifiedKey;
  /** File that holds the roots a client must trust, PEM. */
  readonly caFile: string;
  readonly notAfterMs: number;
}

/** Reads the operator's own certificate files. @throws when a file is missing or the key does not fit the certificate. */
export async function readServerIdentity(files: {
  readonly certFile: string;
  readonly keyFile: string;
  /** Roots for clients; without it clients are expected to know them (a public CA). */
  readonly caFile?: string | undefined;
}): Promise<ServerIdentity> {
  const [cert, key] = await Promise.all([readFile(files.certFile, "utf8"), readFile(files.keyFile, "utf8")]);
  const leaf = new X509Certificate(cert);
  if (!leaf.checkPrivateKey(createPrivateKey(key))) {
    throw new Error(`the key in ${files.keyFile} does not belong to the certificate in ${files.certFile}`);
  }
  return { cert, key, caFile: files.caFile ?? files.certFile, notAfterMs: leaf.validToDate.getTime() };
}

/** Modulus of the RSA key: shorter ones are refused, and longer ones cost every handshake. */
const rsaBitsMin = 2048;
const rsaBitsMax = 4096;

/**
 * Reads the operator's RSA chain and puts it beside the identity: a client gets the one its TLS stack can check.
 *
 * @throws when a file is missing, the key does not fit the certificate, or it is not RSA of 2048 to 4096 bits.
 */
export async function addRsaChain(
  identity: ServerIdentity,
  files: { readonly certFile: string; readonly keyFile: string },
): Promise<ServerIdentity> {
  const { cert, key, notAfterMs } = await readServerIdentity(files);
  const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(key);
  const bits = asymmetricKeyType === "rsa" ? (asymmetricKeyDetails?.modulusLength ?? 0) : 0;
  if (bits < rsaBitsMin || bits > rsaBitsMax) {
    throw new Error(`the key in ${files.keyFile} is not RSA of ${rsaBitsMin} to ${rsaBitsMax} bits`);
  }
  return { ...identity, rsa: { cert, key }, notAfterMs: Math.min(identity.notAfterMs, notAfterMs) };
}

/**
 * Opens the identity kept in `<folder>`, making roots and certificate where they are missing, and renewing the
 * certificate when fewer than 30 days are left or a name is missing from it.
 *
 * @param hostNames DNS names and IP addresses that clients connect to, 1 to 32.
 */
export async function openServerIdentity(options: {
  readonly folder: string;
  readonly caFile: string;
  readonly hostNames: readonly string[];
  readonly nowMs: number;
}): Promise<ServerIdentity> {
  const { folder, caFile, hostNames, nowMs } = options;
  if (hostNames.length < 1 || hostNames.length > 32)
    throw new RangeError("a server certificate carries 1 to 32 names");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const paths = {
    rootKey: join(folder, "root-1.key.pem"),
    root: join(folder, "root-1.pem"),
    backupRoot: join(folder, "root-2.pem"),
    cert: join(folder, "server.pem"),
    key: join(folder, "server.key.pem"),
  };

  let rootPem = await readIfThere(paths.root);
  if (rootPem === undefined) {
    // The first root is written last: a crash in between leaves no half identity, only files to write again.
    const first = await makeRoot("Mayfly server root 1", nowMs);
    const second = await makeRoot("Mayfly server root 2", nowMs);
    const passphrase = randomBytes(24).toString("base64url");
    const carryAway = join(folder, "carry-away");
    await mkdir(carryAway, { recursive: true, mode: 0o700 });
    await writeWhole(join(carryAway, "root-2.key.pem"), exportKey(second.privateKey, passphrase));
    await writeWhole(join(carryAway, "root-2.passphrase"), `${passphrase}\n`);
    await writeWhole(paths.backupRoot, second.pem);
    await writeWhole(paths.rootKey, exportKey(first.privateKey));
    await writeWhole(paths.root, first.pem);
    rootPem = first.pem;
  }
  const backupRootPem = await readFile(paths.backupRoot, "utf8");
  await writeWhole(caFile, rootPem + backupRootPem, 0o644);

  const certPem = await readIfThere(paths.cert);
  const keyPem = await readIfThere(paths.key);
  if (certPem !== undefined && keyPem !== undefined) {
    const leaf = new X509Certificate(certPem);
    const fits =
      leaf.validToDate.getTime() - nowMs > renewBeforeMillis &&
      leaf.checkPrivateKey(createPrivateKey(keyPem)) &&
      leaf.verify(new X509Certificate(rootPem).publicKey) &&
      hostNames.every(
        (name) => (isIpAddress(name) ? leaf.checkIP(name) : leaf.checkHost(name)) !== undefined,
      );
    if (fits) return { cert: certPem, key: keyPem, caFile, notAfterMs: leaf.validToDate.getTime() };
  }

  const issued = await issueLeaf({
    rootPem,
    rootKeyPem: await readFile(paths.rootKey, "utf8"),
    hostNames,
    nowMs,
  });
  await writeWhole(paths.key, issued.keyPem);
  await writeWhole(paths.cert, issued.certPem);
  return { cert: issued.certPem, key: issued.keyPem, caFile, notAfterMs: nowMs + leafLifetimeMillis };
}

/** Milliseconds until the certificate wants renewing: 0 when it does now, at most a day, so that a clock step is noticed. */
export function renewalDueMillis(identity: ServerIdentity, nowMs: number): number {
  return Math.min(Math.max(identity.notAfterMs - renewBeforeMillis - nowMs, 0), day);
}

async function makeRoot(commonName: string, nowMs: number) {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: [{ CN: [commonName] }],
      notBefore: new Date(nowMs - day),
      notAfter: new Date(nowMs + rootLifetimeMillis),
      signingAlgorithm: ecdsaP256,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return { privateKey: keys.privateKey, pem: `${certificate.toString("pem")}\n` };
}

async function issueLeaf(options: {
  readonly rootPem: string;
  readonly rootKeyPem: string;
  readonly hostNames: readonly string[];
  readonly nowMs: number;
}): Promise<{ certPem: string; keyPem: string }> {
  const root = new x509.X509Certificate(options.rootPem);
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      subject: [{ CN: [options.hostNames[0] ?? "mayfly"] }],
      issuer: root.subjectName,
      // A device whose clock is a little behind must still be able to connect and learn the time.
      notBefore: new Date(options.nowMs - day),
      notAfter: new Date(options.nowMs + leafLifetimeMillis),
      signingAlgorithm: ecdsaP256,
      publicKey: keys.publicKey,
      signingKey: await importSigningKey(options.rootKeyPem),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(
          options.hostNames.map((name) => ({
            type: isIpAddress(name) ? ("ip" as const) : ("dns" as const),
            value: name,
          })),
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await x509.AuthorityKeyIdentifierExtension.create(root, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return { certPem: `${certificate.toString("pem")}\n`, keyPem: exportKey(keys.privateKey) };
}

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ecdsaP256, true, ["sign", "verify"]);
}

async function importSigningKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: "pkcs8", format: "der" });
  return webcrypto.subtle.importKey("pkcs8", der, ecdsaP256, false, ["sign"]);
}

/** PKCS #8 PEM, encrypted with AES-256-CBC (PBES2) when a passphrase is given. */
function exportKey(key: webcrypto.CryptoKey, passphrase?: string): string {
  const encrypted = passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase };
  return KeyObject.from(key)
    .export({ type: "pkcs8", format: "pem", ...encrypted })
    .toString();
}

/** 16 random bytes, positive: at most 20 are allowed, and at least 64 unpredictable bits wanted (RFC 5280 §4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01;
  return bytes.toString("hex");
}

function isIpAddress(name: string): boolean {
  return name.includes(":") || /^\d{1,3}(\.\d{1,3}){3}$/.test(name);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whole or not at all: a reader, or a crash, never sees half a key. */
async function writeWhole(file: string, text: string, mode = 0o600): Promise<void> {
  const draft = `${file}.${process.pid}.new`;
  await writeFile(draft, text, { mode, flush: true });
  await rename(draft, file);
}
