/** x */
export const debugGuests = (): [] => [];
