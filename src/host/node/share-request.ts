/** A folder as somebody asks for it to be shared. */
import type { ShareCache, ShareOwner, ShareProtocol } from "../../share/share-options.js";

/** Plain data. */
export interface ShareRequest {
  folder: string;
  /** What the guest mounts it by; no two of a machine have the same. */
  tag: string;
  /** Whether the guest may change what is in it. */
  access: "read" | "write";
  cache: ShareCache;
  /** Whom the guest sees everything belong to; absent: whom it belongs to on the host. */
  owner?: ShareOwner;
  /** Absent: virtiofs. */
  protocol?: ShareProtocol;
}
