/**
 * `mayfly serve`: the server on this machine, until it is told to end.
 */
import { resolve } from "node:path";
import type { Command } from "commander";
import { PROJECT_DEFAULT } from "../connection.ts";
import { CommandFailure } from "../failure.ts";
import {
  type ListenAddress,
  newCommand,
  oneOf,
  outputOf,
  portsOption,
  repeated,
  repeatedListenAddress,
  wholeNumber,
} from "../flags.ts";
import { DATA_FOLDER_DEFAULT } from "../host/endpoints.ts";
import { environmentSettings } from "../host/environment.ts";
import { anyAbort, standardInputEnd, stopSignal } from "../host/signals.ts";

const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;

interface ServeFlags {
  readonly json?: true;
  readonly data?: string;
  readonly ports: "auto" | "default";
  readonly project?: readonly string[];
  readonly location?: readonly string[];
  readonly adminListen?: string;
  readonly mqttListen?: readonly ListenAddress[];
  readonly timePort?: number;
  readonly deviceAddress?: string;
  readonly hostName?: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly tlsRsaCert?: string;
  readonly tlsRsaKey?: string;
  readonly connectionMax?: number;
  readonly logLevel?: (typeof logLevels)[number];
  readonly stopWithStdin?: true;
}

export function addServeCommand(program: Command): void {
  program.addCommand(
    newCommand("serve", "run the server until SIGTERM or SIGINT, then drain and end")
      .option("--data <DIR>", "data folder, owner-only (or MAYFLY_DATA; default mayfly-data)")
      .addOption(portsOption("default"))
      .option(
        "--project <PROJECT>",
        `a project it serves, may be repeated (default: ${PROJECT_DEFAULT})`,
        repeated,
      )
      .option("--location <LOCATION>", "serve only these locations, may be repeated (default: any)", repeated)
      .option("--admin-listen <HOST:PORT>", "where the admin API listens (default: loopback)")
      .option(
        "--mqtt-listen <HOST:PORT>",
        "where MQTT listens too, or only a port, such as 443; may be repeated",
        repeatedListenAddress,
      )
      .option(
        "--time-port <PORT>",
        "UDP port of signed time (default: 8037, or as --ports)",
        wholeNumber(1, 65_535),
      )
      .option("--device-address <ADDRESS>", "address the device listeners bind to (default: all)")
      .option(
        "--host-name <NAME>",
        "name or address clients use, for the certificate; may be repeated",
        repeated,
      )
      .option("--tls-cert <FILE>", "the server's certificate chain, PEM (default: it makes its own roots)")
      .option("--tls-key <FILE>", "the certificate's private key, PEM")
      .option("--tls-ca <FILE>", "roots clients should trust for that certificate, PEM")
      .option("--tls-rsa-cert <FILE>", "an RSA chain beside it, for devices that know no other, PEM")
      .option("--tls-rsa-key <FILE>", "the RSA chain's private key, PEM")
      .option("--connection-max <N>", "device connections at most", wholeNumber(1, 10_000_000))
      .option("--log-level <LEVEL>", logLevels.join(", "), oneOf(logLevels))
      .option(
        "--stop-with-stdin",
        "end when standard input closes, for programs that start a server of their own",
      )
      .action(serve),
  );
}

async function serve(flags: ServeFlags): Promise<void> {
  if ((flags.tlsCert === undefined) !== (flags.tlsKey === undefined)) {
    throw new CommandFailure("usage", "--tls-cert and --tls-key belong together; give both or neither");
  }
  if ((flags.tlsRsaCert === undefined) !== (flags.tlsRsaKey === undefined)) {
    throw new CommandFailure(
      "usage",
      "--tls-rsa-cert and --tls-rsa-key belong together; give both or neither",
    );
  }
  const output = outputOf(flags);
  // Heard from the first moment: a signal during the start drains what has started.
  const stop = flags.stopWithStdin === true ? anyAbort(stopSignal(), standardInputEnd()) : stopSignal();
  // The server is loaded for this command alone: the others start sooner without it.
  const { startServer } = await import("@mayfly/server/node");
  const options = {
    dataFolder: resolve(flags.data ?? environmentSettings().data ?? DATA_FOLDER_DEFAULT),
    ports: flags.ports,
    projects: [...(flags.project ?? [PROJECT_DEFAULT])],
    ...(flags.location === undefined ? {} : { locations: [...flags.location] }),
    ...(flags.adminListen === undefined ? {} : { adminListen: flags.adminListen }),
    ...(flags.mqttListen === undefined ? {} : { mqttListen: flags.mqttListen }),
    ...(flags.timePort === undefined ? {} : { timePort: flags.timePort }),
    ...(flags.deviceAddress === undefined ? {} : { deviceAddress: flags.deviceAddress }),
    ...(flags.hostName === undefined ? {} : { hostNames: [...flags.hostName] }),
    ...(flags.tlsCert === undefined || flags.tlsKey === undefined
      ? {}
      : {
          tls: {
            certFile: flags.tlsCert,
            keyFile: flags.tlsKey,
            ...(flags.tlsCa === undefined ? {} : { caFile: flags.tlsCa }),
          },
        }),
    ...(flags.tlsRsaCert === undefined || flags.tlsRsaKey === undefined
      ? {}
      : { tlsRsa: { certFile: flags.tlsRsaCert, keyFile: flags.tlsRsaKey } }),
    ...(flags.logLevel === undefined ? {} : { logLevel: flags.logLevel }),
    ...(flags.connectionMax === undefined ? {} : { connectionMax: flags.connectionMax }),
  };
  const server = await startServer(options).catch((error: unknown) => {
    throw describeStart(error);
  });
  const { endpoints } = server;
  output.result(
    { ready: true, ...endpoints },
    () =>
      `ready  mqtts ${endpoints.mqtts}  device ${endpoints.deviceHttps}  admin ${endpoints.admin}  pid ${endpoints.pid}`,
  );
  await aborted(stop);
  await server.close();
}

/** A port that is taken is the likeliest failure of a start, and the platform says it least clearly. */
function describeStart(error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || !("port" in error)) return error;
  const reason = { EADDRINUSE: "another program listens there", EACCES: "this user may not listen there" }[
    String(error.code)
  ];
  if (reason === undefined) return error;
  const message = `cannot listen on port ${error.port}: ${reason}; use --ports auto, or make the port free`;
  return new CommandFailure("server_start", message, { cause: error });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
