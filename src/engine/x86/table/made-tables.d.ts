/** What the build makes of the listings (tools/generate-tables.ts), as JSON: `PackedForms`. */
export declare function formsJson(): string;
/** `MadeOperations.variants`. */
export declare function variantsJson(): string;
/** `PackedOperations`. */
export declare function operationsJson(): string;
