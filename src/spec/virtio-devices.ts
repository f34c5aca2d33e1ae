/** Numbers of single virtio devices. Specification: VIRTIO 1.2 §5. */

/** §5 */
export const VIRTIO_ID = {
  NET: 1,
  BLOCK: 2,
  CONSOLE: 3,
  ENTROPY: 4,
  BALLOON: 5,
  NINE_P: 9,
  FILE_SYSTEM: 26,
} as const;

/** Features of a network device, by bit number, §5.1.3. */
export const VIRTIO_NET_FEATURE = {
  CSUM: 0,
  GUEST_CSUM: 1,
  MTU: 3,
  MAC: 5,
  GUEST_TSO4: 7,
  GUEST_TSO6: 8,
  HOST_TSO4: 11,
  HOST_TSO6: 12,
  MRG_RXBUF: 15,
  STATUS: 16,
  CTRL_VQ: 17,
  CTRL_RX: 18,
  CTRL_RX_EXTRA: 20,
  GUEST_ANNOUNCE: 21,
  MQ: 22,
  CTRL_MAC_ADDR: 23,
} as const;
/** Its configuration: offsets, §5.1.4; bits of its status. */
export const VIRTIO_NET_CONFIG = {
  MAC: 0,
  STATUS: 6,
  MAX_PAIRS: 8,
  MTU: 10,
  SIZE: 12,
  LINK_UP: 1,
  ANNOUNCE: 2,
} as const;
/** What stands before each packet, §5.1.6. A legacy driver without MRG_RXBUF leaves the number of buffers out. */
export const VIRTIO_NET_HEADER = {
  FLAGS: 0,
  GSO_TYPE: 1,
  HEAD_LENGTH: 2,
  GSO_SIZE: 4,
  CSUM_START: 6,
  CSUM_OFFSET: 8,
  NUM_BUFFERS: 10,
  SIZE: 12,
  LEGACY_SIZE: 10,
  NEEDS_CSUM: 1,
  DATA_VALID: 2,
  GSO_NONE: 0,
  GSO_TCPV4: 1,
  GSO_TCPV6: 4,
} as const;
/** Commands, §5.1.6.5: class u8, command u8, what belongs to it, and the device's answer u8. */
export const VIRTIO_NET_CONTROL = {
  HEAD: 2,
  OK: 0,
  ERR: 1,
  /** §5.1.6.5.1: each with one byte, on or off; the device's modes by the commands' numbers. */
  RX: 0,
  RX_PROMISC: 0,
  RX_ALLMULTI: 1,
  RX_ALLUNI: 2,
  RX_NOMULTI: 3,
  RX_NOUNI: 4,
  RX_NOBCAST: 5,
  /** §5.1.6.5.2 */
  MAC: 1,
  MAC_TABLE_SET: 0,
  MAC_ADDR_SET: 1,
  /** §5.1.6.5.4 */
  ANNOUNCE: 3,
  ANNOUNCE_ACK: 0,
  /** §5.1.6.5.5: with a u16. */
  MQ: 4,
  MQ_PAIRS_SET: 0,
} as const;

/** Features of a block device, by bit number, §5.2.3. */
export const VIRTIO_BLK_FEATURE = {
  SEG_MAX: 2,
  RO: 5,
  BLK_SIZE: 6,
  FLUSH: 9,
  TOPOLOGY: 10,
  CONFIG_WCE: 11,
  DISCARD: 13,
  WRITE_ZEROES: 14,
} as const;

/** Its configuration: offsets, §5.2.4. */
export const VIRTIO_BLK_CONFIG = {
  CAPACITY: 0,
  SEG_MAX: 12,
  BLK_SIZE: 20,
  PHYSICAL_BLOCK_EXPONENT: 24,
  MIN_IO_SIZE: 26,
  OPT_IO_SIZE: 28,
  WRITEBACK: 32,
  MAX_DISCARD_SECTORS: 36,
  MAX_DISCARD_SEGMENTS: 40,
  DISCARD_ALIGNMENT: 44,
  MAX_ZEROES_SECTORS: 48,
  MAX_ZEROES_SEGMENTS: 52,
  ZEROES_MAY_UNMAP: 56,
  SIZE: 60,
} as const;

/** Requests, §5.2.6. */
export const VIRTIO_BLK_T = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8, DISCARD: 11, WRITE_ZEROES: 13 } as const;

/** The head of a request: type, reserved, sector; and what ends it. */
export const VIRTIO_BLK_HEADER = { TYPE: 0, SECTOR: 8, SIZE: 16 } as const;
export const VIRTIO_BLK_S = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;
export const VIRTIO_BLK_ID_BYTES = 20;
/** A segment to discard or to zero: sector, number of sectors, flags. */
export const VIRTIO_BLK_SEGMENT = { SECTOR: 0, SECTORS: 8, FLAGS: 12, SIZE: 16, UNMAP: 1 } as const;
export const VIRTIO_SECTOR = 512;

/** Features of a console, §5.3.3; its configuration, §5.3.4. */
export const VIRTIO_CONSOLE_FEATURE = { SIZE: 0, MULTIPORT: 1, EMERG_WRITE: 2 } as const;
export const VIRTIO_CONSOLE_CONFIG = { COLUMNS: 0, ROWS: 2, PORTS: 4, EMERG_WRITE: 8, SIZE: 12 } as const;
/** Its control messages, §5.3.6.2: id u32, event u16, value u16, and what some carry. */
export const VIRTIO_CONSOLE_MESSAGE = { ID: 0, EVENT: 4, VALUE: 6, SIZE: 8 } as const;
export const VIRTIO_CONSOLE_EVENT = {
  DEVICE_READY: 0,
  DEVICE_ADD: 1,
  PORT_READY: 3,
  CONSOLE_PORT: 4,
  RESIZE: 5,
  PORT_OPEN: 6,
  PORT_NAME: 7,
} as const;

/** Features of a balloon, §5.5.3; its configuration, §5.5.4. */
export const VIRTIO_BALLOON_FEATURE = { DEFLATE_ON_OOM: 2, REPORTING: 5 } as const;
export const VIRTIO_BALLOON_CONFIG = { PAGES: 0, ACTUAL: 4, SIZE: 8 } as const;
export const VIRTIO_BALLOON_PAGE = 4096;

/** Configuration of a file system, §5.11.4: its tag, padded with NULs, and a number. */
export const VIRTIO_FS_CONFIG = { TAG: 0, TAG_BYTES: 36, REQUEST_QUEUES: 36, SIZE: 40 } as const;

/** Of 9P, which the specification only numbers: the device says its tag. Source: Linux, include/uapi/linux/virtio_9p.h. */
export const VIRTIO_9P_FEATURE = { MOUNT_TAG: 0 } as const;
/** Its configuration: the tag's length in 2 bytes, and the tag. */
export const VIRTIO_9P_CONFIG = { TAG_LENGTH: 0, TAG: 2 } as const;
