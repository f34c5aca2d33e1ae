/**
 * Numbers of virtio devices: status, features, rings, registers of the MMIO transport. Devices' own stand in `virtio-devices.ts`.
 *
 * Specification: OASIS Virtual I/O Device (VIRTIO) 1.2.
 */

/** Device status, §2.1. */
export const VIRTIO_STATUS = {
  ACKNOWLEDGE: 1,
  DRIVER: 2,
  DRIVER_OK: 4,
  FEATURES_OK: 8,
  NEEDS_RESET: 0x40,
  FAILED: 0x80,
} as const;

/** Features that belong to no device, by bit number, §6. */
export const VIRTIO_FEATURE = {
  /** Legacy: requests need no fixed cut into descriptors (§6.3). */
  ANY_LAYOUT: 27,
  INDIRECT_DESC: 28,
  EVENT_IDX: 29,
  VERSION_1: 32,
  RING_PACKED: 34,
  RING_RESET: 40,
} as const;

/** Registers of the MMIO transport, §4.2.2 and, for version 1, §4.2.4. */
export const VIRTIO_MMIO = {
  MAGIC: 0x000,
  VERSION: 0x004,
  DEVICE_ID: 0x008,
  VENDOR_ID: 0x00c,
  DEVICE_FEATURES: 0x010,
  DEVICE_FEATURES_SEL: 0x014,
  DRIVER_FEATURES: 0x020,
  DRIVER_FEATURES_SEL: 0x024,
  GUEST_PAGE_SIZE: 0x028,
  QUEUE_SEL: 0x030,
  QUEUE_NUM_MAX: 0x034,
  QUEUE_NUM: 0x038,
  QUEUE_ALIGN: 0x03c,
  QUEUE_PFN: 0x040,
  QUEUE_READY: 0x044,
  QUEUE_NOTIFY: 0x050,
  INTERRUPT_STATUS: 0x060,
  INTERRUPT_ACK: 0x064,
  STATUS: 0x070,
  QUEUE_DESC_LOW: 0x080,
  QUEUE_DESC_HIGH: 0x084,
  QUEUE_DRIVER_LOW: 0x090,
  QUEUE_DRIVER_HIGH: 0x094,
  QUEUE_DEVICE_LOW: 0x0a0,
  QUEUE_DEVICE_HIGH: 0x0a4,
  SHM_LEN_LOW: 0x0b0,
  SHM_LEN_HIGH: 0x0b4,
  SHM_BASE_LOW: 0x0b8,
  SHM_BASE_HIGH: 0x0bc,
  QUEUE_RESET: 0x0c0,
  CONFIG_GENERATION: 0x0fc,
  CONFIG: 0x100,
} as const;

/** "virt" */
export const VIRTIO_MMIO_MAGIC = 0x7472_6976;
/** Bytes of registers and configuration that one device has. */
export const VIRTIO_MMIO_SIZE = 0x200;

/** Interrupt status, §4.2.2. */
export const VIRTIO_INTERRUPT = { USED_BUFFER: 1, CONFIG_CHANGE: 2 } as const;

/** A descriptor, split (§2.7.5) or packed (§2.8.13). */
export const VIRTQ_DESC = {
  SIZE: 16,
  ADDRESS: 0,
  LENGTH: 8,
  /** Split. */
  FLAGS: 12,
  NEXT: 14,
  /** Packed. */
  ID: 12,
  PACKED_FLAGS: 14,
} as const;

export const VIRTQ_DESC_F = {
  NEXT: 1,
  WRITE: 2,
  INDIRECT: 4,
  /** Packed. */
  AVAIL: 1 << 7,
  USED: 1 << 15,
} as const;

/** The rings of a split queue, §2.7.6 and §2.7.8: flags, index, elements, and an event index behind them. */
export const VIRTQ_RING = {
  FLAGS: 0,
  INDEX: 2,
  ELEMENTS: 4,
  AVAIL_ELEMENT: 2,
  USED_ELEMENT: 8,
  USED_LENGTH: 4,
  EVENT: 2,
  /** In the driver's flags: no interrupts wanted. */
  NO_INTERRUPT: 1,
} as const;

/** Event suppression of a packed queue, §2.8.14. */
export const VIRTQ_EVENT = {
  OFFSET: 0,
  FLAGS: 2,
  FLAGS_MASK: 3,
  ENABLE: 0,
  DISABLE: 1,
  DESCRIPTOR: 2,
  OFFSET_MASK: 0x7fff,
  WRAP_SHIFT: 15,
} as const;

/** Indexes of rings are 16 bits and free-running. */
export const VIRTQ_INDEX_MASK = 0xffff;
/** The specification's largest queue, §2.7. */
export const VIRTQ_MAX_SIZE = 32768;
