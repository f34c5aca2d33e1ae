/** x */
export const registerGuests = (): [] => [];
