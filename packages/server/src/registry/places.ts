/**
 * Where registries may live: a closed list of projects, and any location unless the operator closes that too.
 *
 * A mistyped project would otherwise become a second, empty world beside the real one.
 */
import { parseLocationId } from "@mayfly/core";
import { RegistryError } from "./error.ts";

export interface Places {
  /** @throws {RegistryError} not_found, with the list in its message. */
  checkProject(project: string): void;
  /** @throws {RegistryError} not_found; IdError for a malformed location. */
  checkLocation(project: string, location: string): void;
}

export function createPlaces(open: {
  /** At least one. */
  readonly projects: readonly string[];
  /** Absent: any. */
  readonly locations?: readonly string[];
}): Places {
  const projects = new Set(open.projects);
  const locations = open.locations === undefined ? undefined : new Set(open.locations);

  function checkProject(project: string): void {
    if (projects.has(project)) return;
    throw new RegistryError(
      "not_found",
      `Project '${project.slice(0, 64)}' not found; this server has {${open.projects.join(",")}}.`,
    );
  }

  return {
    checkProject,
    checkLocation(project, location) {
      checkProject(project);
      parseLocationId(location);
      if (locations === undefined || locations.has(location)) return;
      throw new RegistryError(
        "not_found",
        `Location '${location}' not found; this server has {${[...locations].join(",")}}.`,
      );
    },
  };
}
