export { openSqliteRegistryStore, type SqliteRegistryStoreOptions } from "./registry-store.ts";
