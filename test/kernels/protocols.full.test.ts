/** Every image of the catalogue by every boot protocol. */
import { OFFERS, testOffers } from "./protocols.js";

for (const guest of Object.keys(OFFERS)) testOffers(guest);
