// Lint rules: TypeScript's recommended set, the few type-aware rules that catch real faults, and the import
// layers of tools/layers.mjs. Formatting is Prettier's business, not ours.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";
import { layersRule, NODE_FOLDERS, NODE_GLOBALS } from "./tools/layers.mjs";

const root = path.dirname(fileURLToPath(import.meta.url));

/** node:test registers a test and returns a promise that nobody needs to wait for. */
const TEST_CALLS = ["test", "it", "describe", "suite", "before", "after", "beforeEach", "afterEach"];

const typeAware = {
  "@typescript-eslint/no-explicit-any": "error",
  "@typescript-eslint/no-floating-promises": [
    "error",
    { allowForKnownSafeCalls: [{ from: "package", package: "node:test", name: TEST_CALLS }] },
  ],
  "@typescript-eslint/no-misused-promises": "error",
  "@typescript-eslint/await-thenable": "error",
  "@typescript-eslint/only-throw-error": "error",
  "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
  "@typescript-eslint/consistent-type-imports": "error",
  "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
};

export default defineConfig(
  { ignores: ["dist/", "node_modules/", "coverage/", "test/fixtures/"] },
  {
    files: ["**/*.js", "**/*.mjs"],
    languageOptions: {
      globals: {
        process: "readonly",
        console: "readonly",
        SharedArrayBuffer: "readonly",
        Atomics: "readonly",
      },
    },
    rules: { eqeqeq: "error", "no-undef": "error", "no-unused-vars": "error" },
  },
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    rules: { eqeqeq: "error", ...typeAware },
  },
  {
    files: ["src/**/*.ts"],
    plugins: { locore: { rules: { layers: layersRule } } },
    rules: {
      "locore/layers": "error",
      "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
    },
  },
  // The engine's hot paths hand numbers on as they are: an object each time would cost an allocation.
  {
    files: ["src/**/*.ts"],
    ignores: ["src/engine/**"],
    rules: { "max-params": ["error", { max: 5 }] },
  },
  {
    files: ["src/**/*.ts"],
    ignores: NODE_FOLDERS.map((folder) => `src/${folder}/**`),
    rules: {
      "no-restricted-globals": [
        "error",
        ...NODE_GLOBALS.map((name) => ({
          name,
          message: "Node is only known to src/{host/node,guests,cli}.",
        })),
      ],
    },
  },
);
