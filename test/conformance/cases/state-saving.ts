/** x */
export const stateSavingGuests = (): [] => [];
