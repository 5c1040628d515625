import { testSmallStore } from "../test/contract/small-store.contract.ts";
import { createMemoryStore } from "./memory-store.ts";

testSmallStore("memory store", createMemoryStore);
