/** A random program of each mode with a debugger at it; more of them in the full tier. */
import { testDebugged } from "./debugger.js";

testDebugged(4711, 1);
