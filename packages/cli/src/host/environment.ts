/**
 * Settings from the environment: MAYFLY_URL, MAYFLY_TOKEN, MAYFLY_CA, MAYFLY_DATA. A flag goes before them.
 */

export interface EnvironmentSettings {
  readonly url: string | undefined;
  readonly token: string | undefined;
  readonly ca: string | undefined;
  readonly data: string | undefined;
}

export function environmentSettings(): EnvironmentSettings {
  const read = (name: string): string | undefined => {
    const value = process.env[name];
    return value === undefined || value === "" ? undefined : value;
  };
  return {
    url: read("MAYFLY_URL"),
    token: read("MAYFLY_TOKEN"),
    ca: read("MAYFLY_CA"),
    data: read("MAYFLY_DATA"),
  };
}
