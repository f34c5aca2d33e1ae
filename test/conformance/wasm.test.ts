/** The conformance suite on the built-in engine. */
import { createWasmEngine } from "../../src/engine/wasm/engine.js";
import { defineConformance } from "./suite.js";

defineConformance(createWasmEngine);
