/**
 * Linux's own drivers on virtio disks (R3.5, R3.6): found by ACPI, read and written; what the guest computes of a disk's bytes is
 * what the host computes of them. More: `virtio-disk.full.test.ts`.
 */
import { testCopy } from "./virtio-disk.js";

testCopy("version 2", {});
