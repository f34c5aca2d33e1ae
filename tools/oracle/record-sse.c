/*
 * Records what the host does with SSE floating point, one line a case, as vectors for test/engine/sse-float.test.ts.
 * Compiled by hand when vectors are to be renewed:
 * gcc -O1 tools/oracle/record-sse.c -o record-sse && ./record-sse SEED CASES > FILE
 * Every case loads MXCSR and two registers, executes one instruction from an executable page and reads everything
 * back; an unmasked exception is caught as SIGFPE.
 *
 * Line: NAME A B IMM MXCSR > RESULT MXCSR EFLAGS, all hexadecimal. A and B are 128 bits; RESULT is as wide as what
 * the instruction can change (XMM 128, MMX and general registers 64, "-" for comparisons to EFLAGS), "fault" after an
 * exception.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

static uint64_t seed;
static uint64_t rnd(void) {
  seed += 0x9e3779b97f4a7c15ull;
  uint64_t z = seed;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}
static unsigned below(unsigned n) { return (unsigned)((rnd() >> 33) % n); }

enum kind { XMM, GPR, FLAGS, FROM_GPR, TO_MMX, FROM_MMX };
enum lanes { F32, F64, I32, I64 };
struct operation {
  const char *name;
  const char *code; /* prefixes and opcode in hexadecimal, without ModRM */
  enum kind kind;
  enum lanes lanes;
  int imm; /* number of useful immediates, 0 for none */
};

#define ALL(name, op, imm) \
  {name "ps", "0f" op, XMM, F32, imm}, {name "pd", "660f" op, XMM, F64, imm}, \
  {name "ss", "f30f" op, XMM, F32, imm}, {name "sd", "f20f" op, XMM, F64, imm}

static const struct operation operations[] = {
  ALL("add", "58", 0), ALL("mul", "59", 0), ALL("sub", "5c", 0), ALL("div", "5e", 0), ALL("min", "5d", 0),
  ALL("max", "5f", 0), ALL("sqrt", "51", 0), ALL("cmp", "c2", 8),
  {"roundps", "660f3a08", XMM, F32, 16}, {"roundpd", "660f3a09", XMM, F64, 16},
  {"roundss", "660f3a0a", XMM, F32, 16}, {"roundsd", "660f3a0b", XMM, F64, 16},
  {"addsubps", "f20fd0", XMM, F32, 0}, {"addsubpd", "660fd0", XMM, F64, 0},
  {"haddps", "f20f7c", XMM, F32, 0}, {"haddpd", "660f7c", XMM, F64, 0},
  {"hsubps", "f20f7d", XMM, F32, 0}, {"hsubpd", "660f7d", XMM, F64, 0},
  {"dpps", "660f3a40", XMM, F32, 256}, {"dppd", "660f3a41", XMM, F64, 256},
  {"comiss", "0f2f", FLAGS, F32, 0}, {"comisd", "660f2f", FLAGS, F64, 0},
  {"ucomiss", "0f2e", FLAGS, F32, 0}, {"ucomisd", "660f2e", FLAGS, F64, 0},
  {"cvtss2sd", "f30f5a", XMM, F32, 0}, {"cvtps2pd", "0f5a", XMM, F32, 0},
  {"cvtsd2ss", "f20f5a", XMM, F64, 0}, {"cvtpd2ps", "660f5a", XMM, F64, 0},
  {"cvtdq2ps", "0f5b", XMM, I32, 0}, {"cvtdq2pd", "f30fe6", XMM, I32, 0},
  {"cvtps2dq", "660f5b", XMM, F32, 0}, {"cvttps2dq", "f30f5b", XMM, F32, 0},
  {"cvtpd2dq", "f20fe6", XMM, F64, 0}, {"cvttpd2dq", "660fe6", XMM, F64, 0},
  {"cvtss2si32", "f30f2d", GPR, F32, 0}, {"cvtss2si64", "f3480f2d", GPR, F32, 0},
  {"cvttss2si32", "f30f2c", GPR, F32, 0}, {"cvttss2si64", "f3480f2c", GPR, F32, 0},
  {"cvtsd2si32", "f20f2d", GPR, F64, 0}, {"cvtsd2si64", "f2480f2d", GPR, F64, 0},
  {"cvttsd2si32", "f20f2c", GPR, F64, 0}, {"cvttsd2si64", "f2480f2c", GPR, F64, 0},
  {"cvtsi2ss32", "f30f2a", FROM_GPR, I32, 0}, {"cvtsi2ss64", "f3480f2a", FROM_GPR, I64, 0},
  {"cvtsi2sd32", "f20f2a", FROM_GPR, I32, 0}, {"cvtsi2sd64", "f2480f2a", FROM_GPR, I64, 0},
  {"cvtpi2ps", "0f2a", FROM_MMX, I32, 0}, {"cvtpi2pd", "660f2a", FROM_MMX, I32, 0},
  {"cvtps2pi", "0f2d", TO_MMX, F32, 0}, {"cvttps2pi", "0f2c", TO_MMX, F32, 0},
  {"cvtpd2pi", "660f2d", TO_MMX, F64, 0}, {"cvttpd2pi", "660f2c", TO_MMX, F64, 0},
};

static sigjmp_buf escape;
static volatile uint32_t fault_mxcsr;
static void on_fault(int number, siginfo_t *info, void *context) {
  (void)number; (void)info;
  fault_mxcsr = ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr;
  siglongjmp(escape, 1);
}

static uint64_t fraction(unsigned bits) {
  uint64_t mask = (1ull << bits) - 1;
  switch (below(6)) {
    case 0: return 0;
    case 1: return mask;
    case 2: return 1ull << below(bits);
    case 3: return (mask << below(bits)) & mask;
    case 4: return (1ull << below(bits)) - 1;
    default: return rnd() & mask;
  }
}
/* `near`: the exponent of a partner to stay close to, or 0 */
static uint64_t make_float(unsigned fraction_bits, unsigned bias, unsigned near) {
  uint64_t ones = 2 * bias + 1, exponent;
  switch (below(14)) {
    case 0: exponent = 0; break;
    case 1: exponent = ones; break;
    case 2: exponent = 1 + below(fraction_bits + 6); break;
    case 3: exponent = ones - 1 - below(fraction_bits); break;
    case 4: exponent = below((unsigned)ones); break;
    case 5: exponent = bias + below(66); break;
    default: exponent = near ? near + below(2 * fraction_bits) - fraction_bits : bias - 8 + below(40); break;
  }
  if (near && below(3) == 0) exponent = near + below(3) - 1;
  uint64_t f = fraction(fraction_bits);
  if (below(12) == 0) { exponent = 0; f = 0; }
  return f | ((exponent & ones) << fraction_bits) | ((uint64_t)below(2) << (fraction_bits + (bias == 127 ? 8 : 11)));
}
static void make_lanes(enum lanes lanes, uint64_t *v, const uint64_t *partner) {
  for (int i = 0; i < 2; i++) {
    if (lanes == F64) v[i] = make_float(52, 1023, partner ? (partner[i] >> 52) & 0x7ff : 0);
    else if (lanes == F32) {
      uint64_t low = make_float(23, 127, partner ? (partner[i] >> 23) & 0xff : 0);
      uint64_t high = make_float(23, 127, partner ? (partner[i] >> 55) & 0xff : 0);
      v[i] = low | high << 32;
    } else v[i] = below(3) ? rnd() >> below(60) : below(2) ? rnd() : -(rnd() >> below(60));
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  seed = strtoull(argv[1], 0, 0);
  long cases = strtol(argv[2], 0, 0);
  unsigned count = sizeof operations / sizeof operations[0];
  char model[128] = "unknown";
  FILE *cpu = fopen("/proc/cpuinfo", "r");
  for (char text[256]; cpu && fgets(text, sizeof text, cpu);)
    if (sscanf(text, "model name : %127[^\n]", model) == 1) break;
  printf("# recorded by tools/oracle/record-sse.c, seed %s, on %s\n", argv[1], model);
  uint8_t *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGFPE, &action, 0);
  for (long n = 0; n < cases; n++) {
    const struct operation *op = &operations[n % count];
    uint64_t a[2], b[2], result[2] = {0, 0};
    uint32_t mxcsr[2];
    make_lanes(op->lanes == I32 || op->lanes == I64 ? F32 : op->lanes, a, 0);
    make_lanes(op->lanes, b, op->lanes == F32 || op->lanes == F64 ? a : 0);
    int imm = op->imm ? (int)below((unsigned)op->imm) : 0;
    mxcsr[0] = (uint32_t)below(4) << 13 | (below(4) ? 0x1f80u : (uint32_t)below(64) << 7);
    if (below(4) == 0) mxcsr[0] |= below(2) ? 0x8040 : below(2) ? 0x8000 : 0x40;
    mxcsr[1] = mxcsr[0];
    uint8_t *p = code;
    const uint8_t load[] = {0x0f, 0x10, 0x07, 0x0f, 0x10, 0x0e, 0x48, 0x8b, 0x06, 0x0f, 0x6f, 0x0e, 0x0f, 0xae, 0x11};
    memcpy(p, load, sizeof load); /* movups xmm0,[rdi]; movups xmm1,[rsi]; mov rax,[rsi]; movq mm1,[rsi]; ldmxcsr [rcx] */
    p += sizeof load;
    for (const char *c = op->code; *c; c += 2) {
      unsigned byte;
      sscanf(c, "%2x", &byte);
      *p++ = (uint8_t)byte;
    }
    *p++ = op->kind == FROM_GPR ? 0xc0 : 0xc1;
    if (op->imm) *p++ = (uint8_t)imm;
    if (op->kind == GPR) { memcpy(p, "\x48\x89\x02", 3); p += 3; }           /* mov [rdx],rax */
    else if (op->kind == TO_MMX) { memcpy(p, "\x0f\x7f\x02", 3); p += 3; }   /* movq [rdx],mm0 */
    else if (op->kind == FLAGS) { memcpy(p, "\x9c\x58", 2); p += 2; }        /* pushfq; pop rax */
    else { memcpy(p, "\x0f\x11\x02", 3); p += 3; }                           /* movups [rdx],xmm0 */
    memcpy(p, "\x0f\x77\x0f\xae\x59\x04\xc3", 7);                            /* emms; stmxcsr [rcx+4]; ret */
    uint64_t flags = 0;
    int faulted = sigsetjmp(escape, 1);
    if (!faulted) flags = ((uint64_t(*)(void *, void *, void *, void *))code)(a, b, result, mxcsr);
    else {
      mxcsr[1] = fault_mxcsr;
      __asm__ volatile("emms");
    }
    printf("%s %016lx%016lx %016lx%016lx %02x %04x >", op->name, a[1], a[0], b[1], b[0], imm, mxcsr[0]);
    if (faulted) printf(" fault");
    else if (op->kind == FLAGS) printf(" -");
    else if (op->kind == GPR || op->kind == TO_MMX) printf(" %016lx", result[0]);
    else printf(" %016lx%016lx", result[1], result[0]);
    printf(" %04x %02lx\n", mxcsr[1], op->kind == FLAGS && !faulted ? (unsigned long)(flags & 0x45) : 0);
    __asm__ volatile("ldmxcsr %0" ::"m"((uint32_t){0x1f80}));
  }
  return 0;
}
