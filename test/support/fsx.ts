/**
 * Random work on one file, of a seed: writes, reads, truncations, appends, mappings, opened again and again. `FSX_SOURCE` does it in a
 * guest, in C, and looks at every byte that it reads; `fsxOnHost` does the same on a file of the host. Both must leave the same bytes.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { Random } from "./random.js";

/** The file has at most so many bytes. */
const LARGEST = 256 * 1024;
/** One operation moves at most so many. */
const MOST_MOVED = 70_000;
const KINDS = 12;

/** For tcc: `fsx FILE SEED OPERATIONS MAPS`; maps only with MAPS 1, else it reads and writes there. Ends with 0 and says `fsx: right`. */
export const FSX_SOURCE = `
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define LARGEST ${LARGEST}
#define MOST_MOVED ${MOST_MOVED}
static unsigned state;
static unsigned below(unsigned limit) {
  state ^= state << 13; state ^= state >> 17; state ^= state << 5;
  return state % limit;
}
static unsigned char good[LARGEST], bytes[LARGEST];
static long size, number;
static void wrong(const char *what, long at) {
  printf("fsx: wrong: operation %ld: %s at %ld\\n", number, what, at);
  exit(1);
}
static void check(const unsigned char *found, long at, long length) {
  for (long i = 0; i < length; i++)
    if (found[i] != good[at + i]) wrong("a byte", at + i);
}
static void put(long at, long length) {
  if (at > size) memset(good + size, 0, at - size);
  for (long i = 0; i < length; i++) good[at + i] = number * 7 + i;
  if (at + length > size) size = at + length;
}
int main(int count, char **words) {
  const char *name = words[1];
  state = atoi(words[2]);
  long operations = atol(words[3]);
  int maps = atoi(words[4]);
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) wrong("open", 0);
  for (number = 0; number < operations; number++) {
    int kind = below(${KINDS});
    long at = below(LARGEST), length = 1 + below(MOST_MOVED);
    if (length > LARGEST - at) length = LARGEST - at;
    if (kind == 7 && length > LARGEST - size) length = LARGEST - size;
    if (kind == 8 || kind == 9) {
      if (at >= size) continue;
      if (length > size - at) length = size - at;
    }
    if (kind <= 2 || (kind == 8 && !maps)) {
      put(at, length);
      if (pwrite(fd, good + at, length, at) != length) wrong("pwrite", at);
    } else if (kind <= 4 || (kind == 9 && !maps)) {
      long there = at >= size ? 0 : size - at < length ? size - at : length;
      if (pread(fd, bytes, length, at) != there) wrong("pread", at);
      check(bytes, at, there);
    } else if (kind == 5) {
      if (ftruncate(fd, at) != 0) wrong("ftruncate", at);
      if (at > size) memset(good + size, 0, at - size);
      size = at;
    } else if (kind == 6) {
      if (close(fd) != 0) wrong("close", 0);
      if ((fd = open(name, O_RDWR)) < 0) wrong("open", 0);
      struct stat facts;
      if (fstat(fd, &facts) != 0 || facts.st_size != size) wrong("the size", facts.st_size);
    } else if (kind == 7) {
      if (length == 0) continue;
      int end = open(name, O_WRONLY | O_APPEND);
      at = size;
      put(at, length);
      if (end < 0 || write(end, good + at, length) != length || close(end) != 0) wrong("append", at);
    } else if (kind == 10) {
      if (fsync(fd) != 0) wrong("fsync", 0);
    } else if (kind == 11) {
      if (lseek(fd, 0, SEEK_END) != size) wrong("the end", size);
      if (truncate(name, size) != 0) wrong("truncate", size);
    } else {
      long page = at & ~4095L;
      unsigned char *map = mmap(0, length + at - page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, page);
      if (map == MAP_FAILED) wrong("mmap", at);
      if (kind == 9) check(map + at - page, at, length);
      else { put(at, length); memcpy(map + at - page, good + at, length); }
      if (munmap(map, length + at - page) != 0) wrong("munmap", at);
    }
  }
  if (lseek(fd, 0, SEEK_SET) != 0 || read(fd, bytes, LARGEST) != size) wrong("the last read", size);
  check(bytes, 0, size);
  if (close(fd) != 0) wrong("close", 0);
  printf("fsx: right\\n");
  return 0;
}
`;

/** Does what the program does on `file`; gives the bytes that it has then. A seed is below 2^31 and not 0. */
export function fsxOnHost(file: string, seed: number, operations: number): Buffer {
  const random = new Random(seed);
  const descriptor = openSync(file, "w+");
  let size = 0;
  const write = (at: number, length: number, number: number): void => {
    writeSync(
      descriptor,
      Uint8Array.from({ length }, (_, i) => number * 7 + i),
      0,
      length,
      at,
    );
    size = Math.max(size, at + length);
  };
  for (let number = 0; number < operations; number++) {
    const kind = random.below(KINDS);
    const at = random.below(LARGEST);
    const length = Math.min(1 + random.below(MOST_MOVED), LARGEST - at);
    if (kind <= 2) write(at, length, number);
    else if (kind === 5) ftruncateSync(descriptor, (size = at));
    else if (kind === 7) {
      if (size < LARGEST) write(size, Math.min(length, LARGEST - size), number);
    } else if (kind === 8) {
      if (at < size) write(at, Math.min(length, size - at), number);
    } else if (kind === 10) fsyncSync(descriptor);
  }
  closeSync(descriptor);
  return readFileSync(file);
}
