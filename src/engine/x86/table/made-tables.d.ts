/** What the build makes of the listings (tools/generate-tables.ts), as JSON: `PackedForms`. */
export declare const FORMS_JSON: string;
/** `MadeOperations.variants`. */
export declare const VARIANTS_JSON: string;
/** `PackedOperations`. */
export declare const OPERATIONS_JSON: string;
