/*
 * What a program sees of the processor's exceptions: signal, code and address; string instructions cut short; single
 * steps; threads and atomic operations; contexts that are switched.
 */
#define _GNU_SOURCE
#include "check.h"
#include <fenv.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int seen, code;
static void *volatile address;
static volatile long steps;

static void on_signal(int number, siginfo_t *info, void *context) {
  seen = number;
  code = info->si_code;
  address = info->si_addr;
  if (number == SIGTRAP && info->si_code == TRAP_TRACE) {
    steps++;
    (void)context;
    return;
  }
  siglongjmp(back, 1);
}

/* The address is shown relative to a place that is known, since pages lie elsewhere in every run. */
#define EXPECT(name, base, body) do { \
    seen = 0; \
    if (sigsetjmp(back, 1) == 0) { body; } \
    long where = (long)((char *)address - (char *)(base)); \
    printf("%-28s signal %d code %d at %ld\n", name, seen, seen == 0 ? 0 : code, seen == 0 ? 0 : where); \
  } while (0)

static void show(const char *name) { printf("%-28s signal %d code %d\n", name, seen, seen == 0 ? 0 : code); }
#define EXPECT_ANYWHERE(name, body) do { seen = 0; if (sigsetjmp(back, 1) == 0) { body; } show(name); } while (0)

static volatile double zero, one = 1, huge = 1e308, tiny = 1e-308;
static volatile long double lzero, lone = 1;
static volatile int izero, minimum = (int)0x80000000, minus = -1;
static volatile int sink;
static volatile double dsink;
static volatile long double lsink;

static void arithmetic(void) {
  EXPECT_ANYWHERE("integer division by zero", sink = 7 / izero);
  EXPECT_ANYWHERE("integer division overflow", sink = minimum / minus);
  EXPECT_ANYWHERE("masked division", dsink = one / zero);
  /* A handler runs with exceptions masked, and a jump out of it leaves them so. */
#define UNMASKED fesetenv(FE_DFL_ENV); feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW)
  EXPECT_ANYWHERE("division by zero", UNMASKED; dsink = one / zero);
  EXPECT_ANYWHERE("invalid", UNMASKED; dsink = zero / zero);
  EXPECT_ANYWHERE("overflow", UNMASKED; dsink = huge * huge);
  EXPECT_ANYWHERE("underflow", UNMASKED; dsink = tiny * tiny);
  EXPECT_ANYWHERE("x87 division by zero", UNMASKED; lsink = lone / lzero; __asm__ volatile("fwait"));
  EXPECT_ANYWHERE("x87 invalid", UNMASKED; lsink = lzero / lzero; __asm__ volatile("fwait"));
  __asm__ volatile("fninit");
  fesetenv(FE_DFL_ENV);
}

static void memory(void) {
  char *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(page, 0xc3, 3 * 4096);
  mprotect(page + 4096, 4096, PROT_READ);
  mprotect(page + 8192, 4096, PROT_NONE);
  EXPECT("read of nothing", NULL, sink = *(volatile char *)16);
  EXPECT("write to read-only", page, *(volatile char *)(page + 4100) = 1);
  EXPECT("read of a closed page", page, sink = *(volatile char *)(page + 8200));
  EXPECT("write across the boundary", page, *(volatile uint32_t *)(page + 4094) = 1);
  EXPECT("read across the boundary", page, sink = *(volatile int *)(page + 8190));
  EXPECT("execution of data", page, ((void (*)(void))(page + 4096))());
  EXPECT_ANYWHERE("undefined instruction", __asm__ volatile("ud2"));
  EXPECT_ANYWHERE("breakpoint", __asm__ volatile("int3"));
  EXPECT_ANYWHERE("privileged instruction", __asm__ volatile("cli"));
  EXPECT_ANYWHERE("port", __asm__ volatile("inb $0x80, %%al" ::: "eax"));
  EXPECT_ANYWHERE("control register", __asm__ volatile("mov %%cr0, %0" : "=r"(steps)));
  EXPECT_ANYWHERE("misaligned MOVAPS", __asm__ volatile("movaps %0, %%xmm0" : : "m"(*(page + 1)) : "xmm0"));
#ifdef __x86_64__
  EXPECT_ANYWHERE("non-canonical address", sink = *(volatile char *)0x8000000000000000ul);
  EXPECT_ANYWHERE("non-canonical stack", __asm__ volatile("mov %%rsp, %%rax; movabs $0x8000000000000000, %%rsp; push %%rbx; mov %%rax, %%rsp" ::: "rax", "memory"));
#endif
  munmap(page, 3 * 4096);
}

/* String instructions that stop at a page's end, with what they had done by then. */
static void strings(void) {
  char *page = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(page + 4096, 4096, PROT_NONE);
  for (volatile int width = 1; width <= 4; width *= 2) {
    memset(page, 0, 4096);
    char name[40];
    snprintf(name, sizeof name, "rep stos by %d", width);
    void *volatile start = page + 4000;
    if (width == 1) EXPECT(name, page, void *to = start; unsigned long count = 200; __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0x41) : "memory"));
    if (width == 2) EXPECT(name, page, void *to = start; unsigned long count = 200; __asm__ volatile("rep stosw" : "+D"(to), "+c"(count) : "a"(0x4141) : "memory"));
    if (width == 4) EXPECT(name, page, void *to = start; unsigned long count = 200; __asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(0x41414141) : "memory"));
    int written = 0;
    for (int i = 0; i < 4096; i++) written += page[i] == 0x41;
    printf("%-28s %d bytes\n", name, written);
  }
  munmap(page, 2 * 4096);
}

static void single_steps(void) {
  steps = 0;
#ifdef __x86_64__
  __asm__ volatile("pushf; orq $0x100, (%%rsp); popf; nop; nop; xor %%eax, %%eax; mov $3, %%ecx; 1: dec %%ecx; jnz 1b; pushf; andq $~0x100, (%%rsp); popf" ::: "eax", "ecx", "memory");
#else
  __asm__ volatile("pushf; orl $0x100, (%%esp); popf; nop; nop; xor %%eax, %%eax; mov $3, %%ecx; 1: dec %%ecx; jnz 1b; pushf; andl $~0x100, (%%esp); popf" ::: "eax", "ecx", "memory");
#endif
  printf("%-28s %ld\n", "single steps", steps);
}

static long counter;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long guarded;
static __thread long own;

static void *count(void *arg) {
  for (int i = 0; i < 20000; i++) {
    __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
    long old = __atomic_load_n(&counter, __ATOMIC_RELAXED);
    __atomic_compare_exchange_n(&counter, &old, old ^ 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    own += 2;
    if (i % 100 == 0) { pthread_mutex_lock(&mutex); guarded++; pthread_mutex_unlock(&mutex); }
  }
  *(long *)arg = own;
  return NULL;
}

static void threads(void) {
  pthread_t thread[4];
  long result[4];
  for (int i = 0; i < 4; i++) pthread_create(&thread[i], NULL, count, &result[i]);
  for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
  printf("%-28s %ld %ld %ld\n", "threads", counter, guarded, result[0] + result[3]);
}

static ucontext_t home, away;
static volatile int visits;
static void visit(void) { for (;;) { visits++; fesetround(FE_UPWARD); swapcontext(&away, &home); } }

static void contexts(void) {
  static char stack[65536];
  getcontext(&away);
  away.uc_stack.ss_sp = stack;
  away.uc_stack.ss_size = sizeof stack;
  away.uc_link = &home;
  makecontext(&away, visit, 0);
  for (int i = 0; i < 5; i++) swapcontext(&home, &away);
  printf("%-28s %d visits, rounding %d\n", "contexts", visits, fegetround());
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  static char alternative[65536];
  stack_t stack = { .ss_sp = alternative, .ss_size = sizeof alternative };
  sigaltstack(&stack, NULL);
  struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
  int numbers[] = { SIGFPE, SIGSEGV, SIGILL, SIGTRAP, SIGBUS };
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaction(numbers[i], &action, NULL);
  arithmetic(); memory(); strings(); single_steps(); threads(); contexts();
  return 0;
}
