/**
 * Which server a command speaks to, and as whom: flags first, then the environment, then `endpoints.json`.
 *
 * On the server's own machine no flag is needed. The admin token of `endpoints.json` is given to no other
 * server than the one that file names, so that `--url` with a typing error does not leak it.
 */

import { parseRegistryName } from "@mayfly/core";
import { type AdminClient, createAdminClient } from "@mayfly/core/admin";
import { CommandFailure } from "./failure.ts";
import { DATA_FOLDER_DEFAULT, type Endpoints, findEndpoints } from "./host/endpoints.ts";
import { environmentSettings } from "./host/environment.ts";
import { readText } from "./host/files.ts";
import { createHttpsFetch, type HttpsFetch } from "./host/https-fetch.ts";

export interface ConnectionFlags {
  readonly url?: string;
  readonly token?: string;
  readonly ca?: string;
  readonly data?: string;
}

export interface PlaceFlags {
  readonly project?: string;
  readonly location?: string;
  readonly registry?: string;
}

export interface Server {
  readonly baseUrl: string;
  readonly token: string;
  /** PEM, undefined for the system's roots. */
  readonly ca: string | undefined;
  readonly transport: HttpsFetch;
  readonly client: AdminClient;
  /** Of the data folder, where the command runs on the server's own machine. */
  readonly endpoints: Endpoints | undefined;
}

/** The location registries are made in unless told otherwise: any text is one, this is what IoT Core users know. */
export const LOCATION_DEFAULT = "us-central1";
export const PROJECT_DEFAULT = "mayfly";

/** @throws {CommandFailure} not_configured when there is no server, or no token for it, to be found. */
export async function findServer(flags: ConnectionFlags): Promise<Server> {
  const environment = environmentSettings();
  const folder = flags.data ?? environment.data;
  const endpoints = await findEndpoints(folder);
  const url = flags.url ?? environment.url ?? endpoints?.admin;
  if (url === undefined) {
    throw new CommandFailure(
      "not_configured",
      `no server is known: ${folder ?? DATA_FOLDER_DEFAULT} holds no endpoints.json; ` +
        "start `mayfly serve` or `mayfly demo`, or name a server with --url, --token and --ca",
    );
  }
  const baseUrl = parseBaseUrl(url);
  const isOwn = endpoints !== undefined && new URL(endpoints.admin).origin === baseUrl;

  const tokenSetting = flags.token ?? environment.token ?? (isOwn ? `@${endpoints.adminToken}` : undefined);
  if (tokenSetting === undefined) {
    throw new CommandFailure(
      "not_configured",
      `no admin token is known for ${baseUrl}; give one with --token @FILE or MAYFLY_TOKEN ` +
        "(`mayfly admin-token new` on the server's machine makes one)",
    );
  }
  const token = (tokenSetting.startsWith("@") ? await readText(tokenSetting.slice(1)) : tokenSetting).trim();

  const caFile = flags.ca ?? environment.ca ?? (isOwn ? endpoints.ca : undefined);
  const ca = caFile === undefined ? undefined : await readText(caFile);
  const transport = createHttpsFetch(ca);
  const client = createAdminClient({ baseUrl, token, fetch: transport.fetch });
  return { baseUrl, token, ca, transport, endpoints, client };
}

/** Project and location a command is about. */
export function placeOf(
  flags: PlaceFlags,
  endpoints: Endpoints | undefined,
): { readonly project: string; readonly location: string } {
  return {
    project: flags.project ?? endpoints?.project ?? PROJECT_DEFAULT,
    location: flags.location ?? endpoints?.location ?? LOCATION_DEFAULT,
  };
}

/**
 * The registry a command is about: `--registry` by id or by full name, else the one of `endpoints.json`.
 *
 * @throws {CommandFailure} usage when none is named and none is known.
 */
export function registryOf(
  flags: PlaceFlags,
  endpoints: Endpoints | undefined,
): { readonly project: string; readonly location: string; readonly registry: string } {
  const registry = flags.registry ?? endpoints?.registry ?? "";
  if (registry === "") throw new CommandFailure("usage", "no registry is named; give one with --registry");
  if (!registry.includes("/")) return { ...placeOf(flags, endpoints), registry };
  try {
    const name = parseRegistryName(registry);
    return { project: name.project, location: name.location, registry: name.registry };
  } catch (error) {
    throw new CommandFailure(
      "usage",
      `--registry ${registry} is neither an id nor projects/P/locations/L/registries/R`,
      { cause: error },
    );
  }
}

function parseBaseUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    throw new CommandFailure("usage", `--url ${text} is not a URL such as https://host:8443`, {
      cause: error,
    });
  }
  if (url.protocol !== "https:") {
    throw new CommandFailure("usage", `--url ${text} must begin with https:// (the token travels in it)`);
  }
  return url.origin;
}
