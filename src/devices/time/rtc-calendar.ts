/**
 * Time of day as the bytes of an MC146818: BCD or binary, 12 or 24 hours, and the other way round. Pure
 * functions; knows no clock. Specification: MC146818A data sheet, "Time, Calendar and Alarm Locations".
 */
import { RTC, RTC_ALARM_ANY, RTC_B, RTC_PM } from "../../spec/mc146818.js";

const SECONDS_PER_DAY = 86400;
const HOURS_PER_HALF_DAY = 12;
/** Years that century and year can say, times so many that a sum with any year is positive. */
const CALENDAR_YEARS = 1_000_000;

/** The registers that hold time and date, in no order that matters. */
export const TIME_REGISTERS = [
  RTC.seconds,
  RTC.minutes,
  RTC.hours,
  RTC.dayOfWeek,
  RTC.dayOfMonth,
  RTC.month,
  RTC.year,
  RTC.century,
] as const;

function encode(value: number, b: number): number {
  return b & RTC_B.binary ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

function decode(byte: number, b: number): number {
  return b & RTC_B.binary ? byte : (byte >> 4) * 10 + (byte & 0xf);
}

function encodeHours(hours: number, b: number): number {
  if (b & RTC_B.hours24) return encode(hours, b);
  const half = hours % HOURS_PER_HALF_DAY || HOURS_PER_HALF_DAY;
  return encode(half, b) | (hours >= HOURS_PER_HALF_DAY ? RTC_PM : 0);
}

function decodeHours(byte: number, b: number): number {
  if (b & RTC_B.hours24) return decode(byte, b);
  const half = decode(byte & ~RTC_PM, b) % HOURS_PER_HALF_DAY;
  return byte & RTC_PM ? half + HOURS_PER_HALF_DAY : half;
}

/** Register values for `seconds` since 1970-01-01 UTC. `weekdayShift` is added to the true day of the week. */
export function toRegisters(seconds: number, b: number, weekdayShift: number): Map<number, number> {
  const date = new Date(seconds * 1000);
  // Registers that say month 0 of year 0 mean a day of the year before.
  const year = (date.getUTCFullYear() + CALENDAR_YEARS) % CALENDAR_YEARS;
  return new Map([
    [RTC.seconds, encode(date.getUTCSeconds(), b)],
    [RTC.minutes, encode(date.getUTCMinutes(), b)],
    [RTC.hours, encodeHours(date.getUTCHours(), b)],
    [RTC.dayOfWeek, encode(((date.getUTCDay() + weekdayShift) % 7) + 1, b)],
    [RTC.dayOfMonth, encode(date.getUTCDate(), b)],
    [RTC.month, encode(date.getUTCMonth() + 1, b)],
    [RTC.year, encode(year % 100, b)],
    [RTC.century, encode(Math.floor(year / 100) % 100, b)],
  ]);
}

/** Seconds since 1970 and the weekday shift that `toRegisters` needs to show `bytes` again. */
export function fromRegisters(
  bytes: ArrayLike<number>,
  b: number,
): { seconds: number; weekdayShift: number } {
  const year = decode(bytes[RTC.century], b) * 100 + decode(bytes[RTC.year], b);
  const date = new Date(0);
  date.setUTCFullYear(year, decode(bytes[RTC.month], b) - 1, decode(bytes[RTC.dayOfMonth], b));
  date.setUTCHours(
    decodeHours(bytes[RTC.hours], b),
    decode(bytes[RTC.minutes], b),
    decode(bytes[RTC.seconds], b),
  );
  const shift = decode(bytes[RTC.dayOfWeek], b) - 1 - date.getUTCDay();
  return { seconds: date.getTime() / 1000, weekdayShift: ((shift % 7) + 7) % 7 };
}

/** The value that an alarm byte matches; `any`, or nothing: undefined. */
function alarmField(byte: number, value: number, limit: number): number | "any" | undefined {
  if ((byte & RTC_ALARM_ANY) === RTC_ALARM_ANY) return "any";
  return value < limit ? value : undefined;
}

/** How far ahead of `now` a field of `limit` values has the wanted one. */
const ahead = (wanted: number | "any", now: number, limit: number): number =>
  wanted === "any" ? 0 : (wanted - now + limit) % limit;

/** The first second after `seconds` (since 1970) that the alarm bytes match, or undefined if none ever does. */
export function nextAlarm(bytes: ArrayLike<number>, b: number, seconds: number): number | undefined {
  const hour = alarmField(bytes[RTC.hoursAlarm], decodeHours(bytes[RTC.hoursAlarm], b), 24);
  const minute = alarmField(bytes[RTC.minutesAlarm], decode(bytes[RTC.minutesAlarm], b), 60);
  const second = alarmField(bytes[RTC.secondsAlarm], decode(bytes[RTC.secondsAlarm], b), 60);
  if (hour === undefined || minute === undefined || second === undefined) return undefined;
  const midnight = Math.floor(seconds / SECONDS_PER_DAY) * SECONDS_PER_DAY;
  let time = seconds + 1 - midnight;
  // From the largest field that does not match to the start of its next value that does; a few rounds, as smaller ones carry.
  for (;;) {
    const hours = ahead(hour, Math.floor(time / 3600) % 24, 24);
    const minutes = ahead(minute, Math.floor(time / 60) % 60, 60);
    const wanted = ahead(second, time % 60, 60);
    if (hours > 0) time += hours * 3600 - (time % 3600);
    else if (minutes > 0) time += minutes * 60 - (time % 60);
    else if (wanted > 0) time += wanted;
    else return midnight + time;
  }
}
