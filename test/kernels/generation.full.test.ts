/** R6.2 the generation id as a kernel sees it whose driver is one of ACPI's bus, in a run that repeats exactly. */
import { testGeneration } from "./generation.js";

testGeneration("debian-amd64", false);
