/**
 * Update masks: which fields of the body a PATCH means.
 *
 * A masked field is set, or cleared where the body leaves it out; an unmasked one is ignored whatever the body
 * says, since real clients always send some (`"metadata":{}`). Both spellings count, and so do paths into
 * a message (`gateway_config.gateway_auth_method`).
 */
import { ApiError } from "./api-error.ts";
import { toCamelCase } from "./json-fields.ts";

export const MASK_CHARACTERS_MAX = 1024;

/**
 * @param mask Comma-joined field paths.
 * @param fields Path in camelCase → the field the caller works with; "immutable" for what no PATCH may change.
 * @returns The fields meant, each once.
 * @throws {ApiError} INVALID_ARGUMENT: absent or empty, unknown path, immutable or server-written field.
 */
export function parseUpdateMask<Field extends string>(
  mask: string | undefined,
  fields: Readonly<Record<string, Field | "immutable">>,
): ReadonlySet<Exclude<Field, "immutable">> {
  const paths = splitMask(mask);
  if (paths.length === 0) throw refusal("The update_mask must not be empty.");
  const meant = new Set<Exclude<Field, "immutable">>();
  for (const path of paths) {
    const camel = toCamelCase(path);
    const field = Object.hasOwn(fields, camel) ? fields[camel] : undefined;
    if (field === undefined) throw refusal(`The update_mask names an unknown field: '${path.slice(0, 64)}'.`);
    if (field === "immutable")
      throw refusal(`The update_mask names a field that cannot be updated: '${path}'.`);
    meant.add(field as Exclude<Field, "immutable">);
  }
  return meant;
}

/**
 * A read mask of top-level fields. @returns The fields in camelCase, `undefined` when none was given.
 * @throws {ApiError} INVALID_ARGUMENT: unknown field.
 */
export function parseFieldMask(
  mask: string | undefined,
  known: readonly string[],
): ReadonlySet<string> | undefined {
  const paths = splitMask(mask);
  if (paths.length === 0) return undefined;
  return new Set(
    paths.map((path) => {
      const [top = ""] = toCamelCase(path).split(".");
      if (!known.includes(top))
        throw refusal(`The field_mask names an unknown field: '${path.slice(0, 64)}'.`);
      return top;
    }),
  );
}

function splitMask(mask: string | undefined): readonly string[] {
  if (mask === undefined) return [];
  if (mask.length > MASK_CHARACTERS_MAX)
    throw refusal(`A mask has at most ${MASK_CHARACTERS_MAX} characters.`);
  return mask
    .split(",")
    .map((path) => path.trim())
    .filter((path) => path !== "");
}

function refusal(message: string): ApiError {
  return new ApiError("INVALID_ARGUMENT", message, {
    violations: [{ field: "update_mask", description: message }],
  });
}
