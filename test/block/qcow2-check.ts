/** Whether an image's tables agree with its counts: what qemu-img check does, by a reader of its own. Of images with 16-bit counts. */

const ENTRY = 8;

export interface CheckResult {
  errors: string[];
  /** Clusters that are counted and not used. */
  leaks: number;
}

/** Looks at a whole image. */
export function checkImage(bytes: Uint8Array): CheckResult {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const errors: string[] = [];
  const bits = view.getUint32(20);
  const cluster = 2 ** bits;
  const uses = new Map<number, number>();
  const use = (offset: number, length: number, what: string): void => {
    if (offset + Math.min(1, length) > bytes.length) errors.push(`${what} at ${offset} is outside`);
    for (let at = Math.floor(offset / cluster); at * cluster < offset + length; at++)
      uses.set(at, (uses.get(at) ?? 0) + 1);
  };
  const place = (at: number): number => Number(view.getBigUint64(at) & 0x00ff_ffff_ffff_fe00n);
  use(0, 1, "the header");
  const l1 = Number(view.getBigUint64(40));
  const l1Entries = view.getUint32(36);
  use(l1, l1Entries * ENTRY, "L1");
  const copied: [offset: number, flag: boolean, what: string][] = [];
  for (let i = 0; i < l1Entries; i++) {
    const l2 = place(l1 + i * ENTRY);
    if (l2 === 0) continue;
    use(l2, cluster, `L2 ${i}`);
    copied.push([l2, view.getUint32(l1 + i * ENTRY) >= 0x8000_0000, `L2 ${i}`]);
    for (let at = l2; at < Math.min(bytes.length, l2 + cluster); at += ENTRY) {
      if ((view.getUint32(at) & 0x4000_0000) !== 0) continue;
      const data = place(at);
      if (data === 0) continue;
      use(data, cluster, `data of ${at}`);
      copied.push([data, view.getUint32(at) >= 0x8000_0000, `data of ${at}`]);
    }
  }
  const table = Number(view.getBigUint64(48));
  const tableBytes = view.getUint32(56) * cluster;
  use(table, tableBytes, "the refcount table");
  const counts = new Map<number, number>();
  for (let i = 0; i < tableBytes / ENTRY; i++) {
    const block = Number(view.getBigUint64(table + i * ENTRY));
    if (block === 0) continue;
    use(block, cluster, `refcount block ${i}`);
    for (let k = 0; k < cluster / 2 && block + 2 * k + 1 < bytes.length; k++)
      if (view.getUint16(block + 2 * k) > 0) counts.set((i * cluster) / 2 + k, view.getUint16(block + 2 * k));
  }
  let leaks = 0;
  for (const [at, used] of uses)
    if ((counts.get(at) ?? 0) < used)
      errors.push(`cluster ${at}: used ${used}, counted ${counts.get(at) ?? 0}`);
  for (const [at, counted] of counts) if (counted > (uses.get(at) ?? 0)) leaks++;
  for (const [offset, flag, what] of copied)
    if (flag && (counts.get(offset / cluster) ?? 0) !== 1) errors.push(`${what} says that it is used once`);
  return { errors, leaks };
}
