/**
 * The peer most Node projects would reach for: Aedes, with the `jose` library checking the device's token.
 * Memory persistence and memory emitter are its defaults; one imported key per device is kept.
 */
import { createServer } from "node:tls";
import { Aedes } from "aedes";
import { importSPKI, jwtVerify } from "jose";
import { benchDevices, benchIdentity, ready } from "./common.ts";

const identity = await benchIdentity();
const devices = await benchDevices();
const keys = new Map(
  await Promise.all(
    devices.map(
      async (device) => [device.clientIdentifier, await importSPKI(device.publicPem, "ES256")] as const,
    ),
  ),
);
const broker = await Aedes.createBroker({
  authenticate(client, _userName, password, done) {
    const key = keys.get(client.id);
    if (key === undefined || password === undefined) return done(null, false);
    jwtVerify(password.toString(), key, { algorithms: ["ES256"], audience: "bench" }).then(
      () => done(null, true),
      () => done(null, false),
    );
  },
});
const server = createServer(
  {
    cert: identity.cert,
    key: identity.key,
    minVersion: "TLSv1.3",
    ecdhCurve: "X25519:prime256v1",
    noDelay: true,
  },
  broker.handle,
);
server.listen(0, "127.0.0.1", () => ready(server, identity.caFile, devices));
