/** Examples of the documentation, compiled with the types that the package ships. */
import path from "node:path";
import ts from "typescript";
import { repositoryRoot } from "./repository.js";

/** Inside the package, where its own name leads to its exports. */
export const SCRATCH = path.join(repositoryRoot, "dist", "examples");

/** Compiles into the same folder; returns what the compiler says. */
export function compile(folder: string, names: string[]): string[] {
  const program = ts.createProgram(
    names.map((name) => path.join(folder, name)),
    {
      target: ts.ScriptTarget.ES2022,
      lib: ["lib.es2023.d.ts"],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: ["node"],
      typeRoots: [path.join(repositoryRoot, "node_modules", "@types")],
      strict: true,
      skipLibCheck: true,
    },
  );
  const problems = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  return problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}
