export {
  openSqliteBackbone,
  type SqliteBackbone,
  type SqliteBackboneOptions,
} from "./sqlite-backbone.ts";
