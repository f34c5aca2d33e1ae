/** What the environment chooses for oracle runs. */
export const oracleSeed = (): number => Number(process.env.LOCORE_ORACLE_SEED ?? 20250601);
export const rows = (usual: number): number => Number(process.env.LOCORE_ORACLE_ROWS ?? usual);
export const formsFilter = (): RegExp => new RegExp(process.env.LOCORE_ORACLE_FORMS ?? "");
