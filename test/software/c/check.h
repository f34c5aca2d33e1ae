/* What the checks share: numbers from a seed, and a digest over everything a group computed. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t state = 0x9e3779b97f4a7c15u;
static uint64_t digest;

/* xorshift64*: the same numbers on every machine. */
static inline uint64_t rnd(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1du;
}

/* FNV-1a over bytes. */
static inline void mix(const void *p, size_t n) {
  const unsigned char *c = p;
  while (n--) digest = (digest ^ *c++) * 0x100000001b3u;
}

#define MIX(value) do { __typeof__(value) v_ = (value); mix(&v_, sizeof v_); } while (0)
/* Ten bytes of a long double; the rest of its memory is padding. */
#define MIXL(value) do { volatile long double v_ = (value); mix((const void *)&v_, 10); } while (0)

static inline void begin(void) { digest = 0xcbf29ce484222325u; state = 0x9e3779b97f4a7c15u; }
static inline void end(const char *name) { printf("%-24s %016llx\n", name, (unsigned long long)digest); }

/* Corner cases as often as random bits. */
static const uint64_t corners[] = {
  0, 0x8000000000000000u, 1, 0x000fffffffffffffu, 0x0010000000000000u, 0x3ff0000000000000u, 0xbff0000000000000u,
  0x7fefffffffffffffu, 0x7ff0000000000000u, 0xfff0000000000000u, 0x7ff8000000000000u, 0x7ff4000000000001u,
  0x43e0000000000000u, 0xc3e0000000000000u, 0x41dfffffffc00000u, 0x3fdfffffffffffffu, 0x4330000000000001u, 0x3cb0000000000000u,
};

static inline double dbl(void) {
  uint64_t bits = rnd();
  switch (bits & 3) {
    case 0: bits = corners[(bits >> 8) % (sizeof corners / sizeof *corners)]; break;
    case 1: bits = (bits & 0x800fffffffffffffu) | ((0x3ffu - 32 + (bits >> 4) % 64) << 52); break;
    default: bits = rnd();
  }
  double d;
  memcpy(&d, &bits, sizeof d);
  return d;
}

static inline float flt(void) {
  uint32_t bits = (uint32_t)rnd();
  if (bits & 1) return (float)(int32_t)rnd() / 1024;
  bits = (uint32_t)rnd();
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}
