/** What U-Boot's bootm is, for its two formats. */
import type { LoaderFacts } from "./verdict.js";

/** The version that was run. */
export const RUN = "2023.01 run";
export const BOOTM: LoaderFacts = {
  name: "u-boot-bootm",
  what: "U-Boot's bootm",
  source: `boot/bootm.c boot_get_kernel and bootm_find_os, boot/image-fit.c fit_image_load; ${RUN}`,
};

/** How bootm ends when it has no kernel. */
export const NO_KERNEL = "ERROR: can't get kernel image!";
