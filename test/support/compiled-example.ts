/**
 * Examples of the documentation, compiled with the library's declarations as they are built. Those of the package are put together from
 * these, which `test/package` tries.
 */
import path from "node:path";
import ts from "typescript";
import { repositoryRoot } from "./repository.js";

/** Inside the package, where its own name leads to its exports. */
export const SCRATCH = path.join(repositoryRoot, "dist", "examples");

const declarations = (entry: string): string[] => [path.join(repositoryRoot, "dist", "src", `${entry}.d.ts`)];
const ENTRIES = {
  locore: declarations("api/index"),
  "locore/browser": declarations("api/browser"),
  "locore/node": declarations("vm/index"),
};

/** Compiles into the same folder; returns what the compiler says. */
export function compile(folder: string, names: string[]): string[] {
  const program = ts.createProgram(
    names.map((name) => path.join(folder, name)),
    {
      target: ts.ScriptTarget.ES2022,
      lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: ["node"],
      paths: ENTRIES,
      typeRoots: [path.join(repositoryRoot, "node_modules", "@types")],
      strict: true,
      skipLibCheck: true,
    },
  );
  const problems = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  return problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}
