/**
 * A route as data: method, path in Google's form, the permission it asks for, and what it does.
 *
 * Everything else follows from the table: the permission check, 405 answers, the reference document and its
 * test. A custom verb follows a colon (`…/devices/{device}:sendCommandToDevice`); Fastify's router gives a
 * colon a meaning of its own, so inside the server a verb is a path segment (`splitVerb`).
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Permission } from "../registry/permission.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What a handler sees of a request. */
export interface Call {
  /** Path parameters, percent-decoded. */
  param(name: string): string;
  /** A query parameter in either spelling; of a repeated one the first. */
  query(name: string): string | undefined;
  /** All values of a repeated query parameter. */
  queryAll(name: string): readonly string[];
  /** Parsed JSON, `undefined` when there was no body. */
  readonly body: unknown;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

export interface Route {
  readonly method: Method;
  /** `/v1/projects/{project}/…/devices/{device}:verb` */
  readonly path: string;
  /** "public": no token asked. "device": a token of the device the path names (device listener only). */
  readonly permission: Permission | "public" | "device";
  /** Needs no token from this machine itself. */
  readonly opensOnLoopback?: boolean;
  /** The answer becomes JSON; a handler that took the reply over answers the reply. */
  handle(call: Call): Promise<unknown>;
}

/** Google's path form to Fastify's: `{project}` to `:project`, `:verb` at the end to a literal segment. */
export function toRouterPath(path: string): string {
  const [resource = "", verb] = path.split(/:(?=[A-Za-z]+$)/);
  const router = resource.replaceAll(/\{([A-Za-z]+)\}/g, ":$1");
  return verb === undefined ? router : `${router}/::${verb}`;
}

/** Makes a custom verb at the end of a URL's path a segment of its own. Ids never hold a colon. */
export function splitVerb(url: string): string {
  const query = url.indexOf("?");
  const end = query < 0 ? url.length : query;
  const segment = url.lastIndexOf("/", end - 1);
  const colon = url.indexOf(":", segment);
  return colon > segment + 1 && colon < end ? `${url.slice(0, colon)}/${url.slice(colon)}` : url;
}
