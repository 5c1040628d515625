export {
  createMemoryBackbone,
  type MemoryBackbone,
  type MemoryBackboneOptions,
} from "./memory-backbone.ts";
