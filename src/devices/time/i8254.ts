/**
 * The 8254 programmable interval timer: three counters, six modes. A counter is not ticked: its count and its
 * output are computed from the clock when they are looked at, so they agree with every other clock of the
 * machine. Knows its registers and what its first output drives; not what the other outputs are used for.
 * Specification: Intel 8254 data sheet (231164).
 *
 * Where it is coarser than the chip: a count is loaded at once, not at the next clock pulse; a new count in
 * modes 2 and 3 begins with the next whole period, in mode 3 too. Output 0 shows the falling edge of modes 2
 * to 4 right before the rising one, because only the rising one is ever seen by a controller.
 */
import { list, natural, record } from "../../bytes/shape.js";
import { Alarm } from "./alarm.js";
import type { AccessSize, Clock, InterruptLine, PortDevice, Timers } from "../device.js";
import * as counter from "./i8254-counter.js";
import type { I8254CounterState } from "./i8254-counter.js";
import { earliestAfter } from "./periodic.js";
import { ticksAt, timeOfTick } from "./tick-rate.js";
import {
  PIT_ACCESS,
  PIT_CHANNEL,
  PIT_CHANNELS,
  PIT_CONTROL,
  PIT_CONTROL_WORD,
  PIT_HZ,
  PIT_READ_BACK,
} from "../../spec/i8254.js";

export interface I8254State {
  counters: I8254CounterState[];
  /** Up to which tick rising edges of output 0 are delivered. */
  edgesDelivered: number;
}

/** Power-on: no counter runs, and only the speaker's gate is closed. */
export function initialI8254State(): I8254State {
  const counters = Array.from({ length: PIT_CHANNELS }, (_, channel) =>
    counter.initialCounterState(channel !== PIT_CHANNEL.speaker),
  );
  return { counters, edgesDelivered: 0 };
}

export const i8254Shape = record<I8254State>({
  counters: list(counter.i8254CounterShape, PIT_CHANNELS),
  edgesDelivered: natural,
});

export class I8254 implements PortDevice {
  readonly name = "i8254 timer";
  readonly state: I8254State;
  private readonly alarm: Alarm;

  /** `output0` is the output of channel 0, ISA interrupt 0. */
  constructor(
    private readonly clock: Clock,
    timers: Timers,
    private readonly output0: InterruptLine,
    state: I8254State = initialI8254State(),
  ) {
    this.state = state;
    this.alarm = new Alarm(timers, () => this.edge());
    this.output0.set(this.shownLevel());
    this.arm();
  }

  /** Level of a counter's OUT pin now. */
  output(channel: number): boolean {
    return counter.output(this.synced(channel), this.tick());
  }

  /** Drives a counter's GATE pin. A PC ties those of channels 0 and 1 high. */
  setGate(channel: number, level: boolean): void {
    this.settle(channel);
    counter.setGate(this.synced(channel), this.tick(), level);
    this.changed(channel);
  }

  readPort(offset: number, _size: AccessSize): number {
    if (offset === PIT_CONTROL) return 0xff;
    return counter.readByte(this.synced(offset), this.tick());
  }

  writePort(offset: number, _size: AccessSize, value: number): void {
    if (offset === PIT_CONTROL) {
      this.writeControl(value);
    } else {
      this.settle(offset);
      counter.writeByte(this.synced(offset), this.tick(), value);
      this.changed(offset);
    }
  }

  private writeControl(value: number): void {
    const channel = value >> PIT_CONTROL_WORD.channelShift;
    if (channel === PIT_CONTROL_WORD.readBackChannel) {
      this.readBack(value);
      return;
    }
    const access = (value >> PIT_CONTROL_WORD.accessShift) & PIT_CONTROL_WORD.accessMask;
    if (access === PIT_ACCESS.latch) {
      counter.latchCount(this.synced(channel), this.tick());
      return;
    }
    this.settle(channel);
    counter.writeControl(this.state.counters[channel], value);
    this.changed(channel);
  }

  private readBack(value: number): void {
    for (let channel = 0; channel < PIT_CHANNELS; channel++) {
      if (!(value & (1 << (channel + PIT_READ_BACK.channelShift)))) continue;
      if (!(value & PIT_READ_BACK.notCount)) counter.latchCount(this.synced(channel), this.tick());
      if (!(value & PIT_READ_BACK.notStatus)) counter.latchStatus(this.synced(channel), this.tick());
    }
  }

  private tick(): number {
    return ticksAt(this.clock.now(), PIT_HZ);
  }

  /** The counter, after a pending new count has taken effect if its time has come. */
  private synced(channel: number): I8254CounterState {
    const state = this.state.counters[channel];
    counter.sync(state, this.tick());
    return state;
  }

  /** Delivers an edge that is due before the counter is changed. */
  private settle(channel: number): void {
    if (channel === PIT_CHANNEL.interrupt) this.edge();
  }

  private changed(channel: number): void {
    if (channel !== PIT_CHANNEL.interrupt) return;
    this.state.edgesDelivered = this.tick();
    this.output0.set(this.shownLevel());
    this.arm();
  }

  /** Output 0 as the interrupt line shows it: without low phases that only prepare the next edge. */
  private shownLevel(): boolean {
    const state = this.state.counters[PIT_CHANNEL.interrupt];
    if (!counter.staysLow(state)) return true;
    return this.nextEdge() === undefined && this.output(PIT_CHANNEL.interrupt);
  }

  /** The tick of the next rising edge to deliver, which may be in the past if the host is late. */
  private nextEdge(): number | undefined {
    const state = this.state.counters[PIT_CHANNEL.interrupt];
    const { edgesDelivered } = this.state;
    const after = counter.isPeriodic(state)
      ? earliestAfter(edgesDelivered, this.tick(), PIT_HZ)
      : edgesDelivered;
    return counter.nextRise(state, after);
  }

  private arm(): void {
    const edge = this.nextEdge();
    this.alarm.set(edge === undefined ? undefined : timeOfTick(edge, PIT_HZ));
  }

  private edge(): void {
    const edge = this.nextEdge();
    if (edge !== undefined && edge <= this.tick()) {
      this.state.edgesDelivered = edge;
      this.output0.set(false);
      this.output0.set(true);
    }
    counter.sync(this.state.counters[PIT_CHANNEL.interrupt], this.tick());
    this.arm();
  }
}
