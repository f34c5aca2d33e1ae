/**
 * What travels between local APICs and I/O APICs: messages and the interfaces of both ends. Knows no device.
 * Specification: Intel SDM vol. 3A §11.6 "Issuing Interprocessor Interrupts", §11.11.1 for I/O APIC messages.
 */

/** An interrupt on its way to one CPU or several. */
export interface ApicMessage {
  /** Delivery mode, `DELIVERY` of spec/apic. */
  mode: number;
  vector: number;
  /** Level-triggered: the CPU's EOI goes back to the I/O APICs. */
  level: boolean;
  /** APIC id or logical set; 0xffffffff is everyone. */
  destination: number;
  logical: boolean;
}

/** Where a local APIC sends what concerns others. */
export interface IpiSink {
  /** Sends to the CPUs that `shorthand` (spec/apic) or the destination names; `from` is the sender's APIC id. */
  sendIpi(from: number, shorthand: number, message: ApicMessage): void;
  /** A level-triggered vector was completed. */
  endOfInterrupt(vector: number): void;
}

/** Where an I/O APIC sends interrupts. */
export interface InterruptSink {
  /** Returns whether a CPU accepted it. */
  deliver(message: ApicMessage): boolean;
}

/** A local APIC as others see it. */
export interface ApicReceiver {
  readonly id: number;
  /** Whether this CPU is among those the message addresses (`destination` and `logical`). */
  isAddressed(message: ApicMessage): boolean;
  /** Whether it takes part in lowest-priority arbitration. */
  readonly acceptsFixed: boolean;
  /** Processor priority, for lowest-priority arbitration. */
  readonly priority: number;
  /** Takes the message; false if it is dropped. */
  accept(message: ApicMessage): boolean;
}

/** An I/O APIC as CPUs see it. */
export interface EoiReceiver {
  endOfInterrupt(vector: number): void;
}
