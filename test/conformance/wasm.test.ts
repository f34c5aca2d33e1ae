/** The conformance suite on the built-in engine: interpreted, and with every instruction compiled. */
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { defineConformance } from "./suite.js";

defineConformance(() => createWasmEngine({ jit: "off" }));
defineConformance(() => ({ ...createWasmEngine({ jit: "eager" }), name: "wasm (compiled)" }));
