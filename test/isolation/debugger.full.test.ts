/** Many random programs of each mode with a debugger at them. */
import { testDebugged } from "./debugger.js";

testDebugged(4711, 2);
testDebugged(8153, 10);
