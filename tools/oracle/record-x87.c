/*
 * Records what the host's x87 does, one line a case, as vectors for test/engine/x87.test.ts. Compiled by hand when
 * vectors are to be renewed: gcc -O1 tools/oracle/record-x87.c -o record-x87 && ./record-x87 SEED CASES > FILE
 * Every case loads a whole FPU state (FRSTOR), executes one instruction from an executable page and saves the
 * state (FNSAVE, which waits for nothing, so that unmasked exceptions can be seen without a trap).
 *
 * Line: OPCODE MODRM CW SW TAGS ST7 ST0 ST1 MEMORY EFLAGS > SW TAGS ST7 ST0 ST1 MEMORY EFLAGS, all hexadecimal.
 * ST7, ST0 and ST1 are named by the TOP before; TAGS are the abridged tags; "=" is "as before".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct { uint64_t significand; uint16_t sign_exponent; } __attribute__((packed)) extended;
typedef struct {
  uint32_t control, status, tags, ip, cs, dp, ds;
  extended st[8];
} __attribute__((packed)) state;

static uint64_t seed;
static uint64_t rnd(void) {
  seed += 0x9e3779b97f4a7c15ull;
  uint64_t z = seed;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}
static unsigned below(unsigned n) { return (unsigned)((rnd() >> 33) % n); }

static const uint8_t forms[][2] = {
  {0xd8,0x06},{0xd8,0x0e},{0xd8,0x16},{0xd8,0x1e},{0xd8,0x26},{0xd8,0x2e},{0xd8,0x36},{0xd8,0x3e},
  {0xd8,0xc1},{0xd8,0xc9},{0xd8,0xd1},{0xd8,0xd9},{0xd8,0xe1},{0xd8,0xe9},{0xd8,0xf1},{0xd8,0xf9},
  {0xd8,0xc1},{0xd8,0xc9},{0xd8,0xe1},{0xd8,0xf1},{0xd8,0xc0},{0xd8,0xe0},
  {0xd9,0x06},{0xd9,0x16},{0xd9,0x1e},{0xd9,0xc1},{0xd9,0xc9},{0xd9,0xd9},{0xd9,0xe0},{0xd9,0xe1},{0xd9,0xe4},
  {0xd9,0xe5},{0xd9,0xe8},{0xd9,0xe9},{0xd9,0xea},{0xd9,0xeb},{0xd9,0xec},{0xd9,0xed},{0xd9,0xee},
  {0xd9,0xf4},{0xd9,0xf5},{0xd9,0xf6},{0xd9,0xf7},{0xd9,0xf8},{0xd9,0xfa},{0xd9,0xfa},{0xd9,0xfc},{0xd9,0xfd},
  {0xda,0x06},{0xda,0x0e},{0xda,0x16},{0xda,0x1e},{0xda,0x26},{0xda,0x2e},{0xda,0x36},{0xda,0x3e},
  {0xda,0xc1},{0xda,0xc9},{0xda,0xd1},{0xda,0xd9},{0xda,0xe9},
  {0xdb,0x06},{0xdb,0x0e},{0xdb,0x16},{0xdb,0x1e},{0xdb,0x2e},{0xdb,0x3e},
  {0xdb,0xc1},{0xdb,0xc9},{0xdb,0xd1},{0xdb,0xd9},{0xdb,0xe2},{0xdb,0xe3},{0xdb,0xe8},{0xdb,0xe9},{0xdb,0xf1},
  {0xdc,0x06},{0xdc,0x0e},{0xdc,0x16},{0xdc,0x1e},{0xdc,0x26},{0xdc,0x2e},{0xdc,0x36},{0xdc,0x3e},
  {0xdc,0xc1},{0xdc,0xc9},{0xdc,0xd1},{0xdc,0xd9},{0xdc,0xe1},{0xdc,0xe9},{0xdc,0xf1},{0xdc,0xf9},
  {0xdd,0x06},{0xdd,0x0e},{0xdd,0x16},{0xdd,0x1e},{0xdd,0xc1},{0xdd,0xc9},{0xdd,0xd1},{0xdd,0xd9},{0xdd,0xe1},
  {0xdd,0xe9},
  {0xde,0x06},{0xde,0x0e},{0xde,0x16},{0xde,0x1e},{0xde,0x26},{0xde,0x2e},{0xde,0x36},{0xde,0x3e},
  {0xde,0xc1},{0xde,0xc9},{0xde,0xd1},{0xde,0xd9},{0xde,0xe1},{0xde,0xe9},{0xde,0xf1},{0xde,0xf9},
  {0xdf,0x06},{0xdf,0x0e},{0xdf,0x16},{0xdf,0x1e},{0xdf,0x26},{0xdf,0x2e},{0xdf,0x36},{0xdf,0x3e},
  {0xdf,0xc1},{0xdf,0xc9},{0xdf,0xd1},{0xdf,0xd9},{0xdf,0xe9},{0xdf,0xf1},
};
static const uint8_t transcendental[][2] = {
  {0xd9,0xf0},{0xd9,0xf1},{0xd9,0xf2},{0xd9,0xf3},{0xd9,0xf9},{0xd9,0xfb},{0xd9,0xfe},{0xd9,0xff},
};

static uint64_t pattern(unsigned bits) { /* a significand field with runs of ones and zeros, or random */
  uint64_t mask = bits == 64 ? ~0ull : (1ull << bits) - 1;
  switch (below(6)) {
    case 0: return 0;
    case 1: return mask;
    case 2: return (1ull << below(bits)) & mask;
    case 3: return (mask << below(bits)) & mask;
    case 4: return ((1ull << below(bits)) - 1) & mask;
    default: return rnd() & mask;
  }
}

/* near: an exponent to stay close to, or 0 */
static extended make_extended(unsigned near) {
  extended v;
  uint64_t fraction = pattern(63);
  v.significand = (1ull << 63) | fraction;
  unsigned exponent;
  switch (below(16)) {
    case 0: exponent = 0; v.significand = below(3) ? pattern(63) : below(2) ? v.significand : 0; break;
    case 1: exponent = 0x7fff; if (below(3) == 0) v.significand = 1ull << 63; break;
    case 2: exponent = 1 + below(70); break;
    case 3: exponent = 0x7ffe - below(70); break;
    case 4: exponent = below(0x8000); if (below(3) == 0) v.significand = pattern(63); break;
    case 5: exponent = 16383 + below(20); v.significand = (1ull << 63) | (pattern(10) << 53); break;
    case 6: exponent = 16383 - 127 - 30 + below(60); break;
    case 7: exponent = 16383 - 1023 - 60 + below(90); break;
    case 8: exponent = 16383 + 120 + below(12); break;
    case 9: exponent = 16383 + 1020 + below(8); break;
    case 10: exponent = 16383 + 10 + below(60); break;
    default: exponent = near ? near + below(140) - 70 : 16383 - 20 + below(80); break;
  }
  if (near && below(3) == 0) exponent = near + below(5) - 2;
  v.sign_exponent = (uint16_t)((exponent & 0x7fff) | (below(2) << 15));
  return v;
}

static uint64_t make_f64(void) {
  uint64_t exponent;
  switch (below(8)) {
    case 0: exponent = 0; break;
    case 1: exponent = 0x7ff; break;
    case 2: exponent = 1 + below(60); break;
    case 3: exponent = 0x7fe - below(60); break;
    default: exponent = 1023 - 30 + below(100); break;
  }
  return pattern(52) | (exponent << 52) | ((uint64_t)below(2) << 63);
}
static uint32_t make_f32(void) {
  uint32_t exponent;
  switch (below(8)) {
    case 0: exponent = 0; break;
    case 1: exponent = 0xff; break;
    default: exponent = below(256); break;
  }
  return (uint32_t)pattern(23) | (exponent << 23) | ((uint32_t)below(2) << 31);
}

static void make_memory(uint8_t opcode, uint8_t modrm, uint8_t *m) {
  unsigned reg = (modrm >> 3) & 7;
  uint64_t v = rnd();
  memset(m, 0, 16);
  if (opcode == 0xd8 || opcode == 0xd9) { uint32_t f = make_f32(); memcpy(m, &f, 4); return; }
  if (opcode == 0xdc || (opcode == 0xdd && reg != 1)) { v = make_f64(); memcpy(m, &v, 8); return; }
  if (opcode == 0xdb && (reg == 5 || reg == 7)) { extended e = make_extended(0); memcpy(m, &e, 10); return; }
  if (opcode == 0xdf && reg == 4) {
    for (int i = 0; i < 9; i++) m[i] = (uint8_t)(below(10) * 16 + below(10));
    if (below(3) == 0) { unsigned n = below(9); memset(m + n, 0, 9 - n); }
    m[9] = (uint8_t)(below(2) << 7);
    return;
  }
  if (below(3) == 0) v = pattern(64);
  memcpy(m, &v, 8);
}

static unsigned abridged(unsigned tags) {
  unsigned a = 0;
  for (int i = 0; i < 8; i++) if (((tags >> (2 * i)) & 3) != 3) a |= 1u << i;
  return a;
}
static void put(const extended *v, const extended *before) {
  if (before && memcmp(v, before, 10) == 0) printf(" =");
  else printf(" %04x%016lx", v->sign_exponent, v->significand);
}
static void put_memory(const uint8_t *m, unsigned bytes) {
  printf(" ");
  if (bytes == 0) printf("-");
  for (int i = (int)bytes - 1; i >= 0; i--) printf("%02x", m[i]);
}
static unsigned memory_bytes(uint8_t opcode, uint8_t modrm) {
  if (modrm >= 0xc0) return 0;
  unsigned reg = (modrm >> 3) & 7;
  switch (opcode) {
    case 0xd8: case 0xd9: case 0xda: return 4;
    case 0xdb: return reg >= 5 ? 10 : 4;
    case 0xdc: case 0xdd: return 8;
    case 0xde: return 2;
    default: return reg == 4 || reg == 6 ? 10 : reg == 5 || reg == 7 ? 8 : 2;
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  seed = strtoull(argv[1], 0, 0);
  long cases = strtol(argv[2], 0, 0);
  int only = argc > 3 && strcmp(argv[3], "transcendental") == 0;
  unsigned count = only ? sizeof transcendental / 2 : sizeof forms / 2;
  char model[128] = "unknown";
  FILE *cpu = fopen("/proc/cpuinfo", "r");
  for (char text[256]; cpu && fgets(text, sizeof text, cpu);)
    if (sscanf(text, "model name : %127[^\n]", model) == 1) break;
  printf("# recorded by tools/oracle/record-x87.c, seed %s, on %s\n", argv[1], model);
  uint8_t *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  static state in, out, clean;
  static uint8_t memory[16], before[16];
  __asm__ volatile("fninit; fnsave %0" : "=m"(clean));
  for (long n = 0; n < cases; n++) {
    const uint8_t *form = only ? transcendental[n % count] : forms[n % count];
    unsigned top = below(8);
    memset(&in, 0, sizeof in);
    in.control = 0x40 | (below(4) << 10) | ((uint32_t[]){3, 3, 2, 0})[below(4)] << 8;
    in.control |= below(4) ? 0x3f : below(64);
    in.status = (top << 11) | (below(4) ? 0 : (rnd() & 0x4700));
    in.st[0] = make_extended(0);
    in.st[1] = make_extended(below(3) ? in.st[0].sign_exponent & 0x7fff : 0);
    in.st[7] = make_extended(0);
    if (only && below(4)) {
      /* mostly arguments within the functions' ranges */
      for (int i = 0; i < 2; i++) in.st[i].significand |= 1ull << 63;
      unsigned sign = in.st[0].sign_exponent & 0x8000;
      unsigned spread = below(5) == 0 ? 70 : 5;
      if (form[1] == 0xf0) in.st[0].sign_exponent = sign | (16382 - below(spread));
      else if (form[1] == 0xf1) in.st[0].sign_exponent = 16383 + below(2 * spread) - spread;
      else if (form[1] == 0xf9) { in.st[0].sign_exponent = sign | (16381 - below(spread));
        if (in.st[0].sign_exponent == (sign | 16381)) in.st[0].significand &= 0x94ffffffffffffffull; }
      else if (form[1] != 0xf3) in.st[0].sign_exponent = sign | (16383 + below(spread) - 4);
      if (form[1] == 0xf1 || form[1] == 0xf9) in.st[1].sign_exponent = 16383 + below(10);
    }
    unsigned used = below(5) ? 3 : below(8); /* bits: ST0, ST1, ST7 */
    unsigned tags = 0xffff;
    for (int i = 0; i < 8; i++) {
      int on = i == 0 ? used & 1 : i == 1 ? used & 2 : i == 7 ? used & 4 : 0;
      if (on) tags &= ~(3u << (2 * ((top + i) & 7)));
    }
    in.tags = tags;
    unsigned bytes = memory_bytes(form[0], form[1]);
    make_memory(form[0], form[1], memory);
    memcpy(before, memory, 16);
    uint64_t entry = 0x202 | (rnd() & 0x8d5), flags;
    uint8_t *p = code;
    /* rdi: in, rsi: memory, rdx: out, rcx: flags */
    *p++ = 0xdd; *p++ = 0x27;             /* frstor [rdi] */
    *p++ = 0x51; *p++ = 0x9d;             /* push rcx; popfq */
    *p++ = form[0]; *p++ = form[1];
    *p++ = 0x9c; *p++ = 0x58;             /* pushfq; pop rax */
    *p++ = 0xdd; *p++ = 0x32;             /* fnsave [rdx] */
    *p++ = 0xc3;
    flags = ((uint64_t(*)(void *, void *, void *, uint64_t))code)(&in, memory, &out, entry);
    unsigned after = (out.status >> 11) & 7;
    printf("%02x %02x %03x %04x %02x", form[0], form[1], in.control, in.status, abridged(tags));
    put(&in.st[7], 0); put(&in.st[0], 0); put(&in.st[1], 0);
    put_memory(before, bytes);
    printf(" %03lx >", (unsigned long)(entry & 0x8d5));
    printf(" %04x %02x", out.status & 0xffff, abridged(out.tags));
    put(&out.st[(top + 7 - after) & 7], &in.st[7]);
    put(&out.st[(top + 0 - after) & 7], &in.st[0]);
    put(&out.st[(top + 1 - after) & 7], &in.st[1]);
    if (memcmp(memory, before, 16) == 0) printf(" ="); else put_memory(memory, bytes);
    printf(" %03lx\n", (unsigned long)(flags & 0x8d5));
  }
  return 0;
}
