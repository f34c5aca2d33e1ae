/** R6.2 the generation id as Debian 13's kernel sees it. Another kernel: generation.full.test.ts. */
import { testGeneration } from "./generation.js";

testGeneration("debian-13-cloud", true);
