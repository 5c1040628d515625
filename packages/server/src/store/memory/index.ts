export { createMemoryRegistryStore, type MemoryRegistryStorePorts } from "./registry-store.ts";
