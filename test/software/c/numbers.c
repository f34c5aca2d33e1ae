/* Integers, floating point in three formats, conversions, rounding, exception flags, the mathematical library. */
#include "check.h"
#include <fenv.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define ROUNDS 4000

static void integers(void) {
  begin();
  for (int i = 0; i < ROUNDS; i++) {
    uint64_t a = rnd() >> (rnd() & 63), b = (rnd() >> (rnd() & 63)) | 1;
    int64_t s = (int64_t)rnd() >> (rnd() & 63), t = ((int64_t)rnd() >> (rnd() & 62)) | 1;
    MIX(a * b); MIX(a / b); MIX(a % b);
    if (!(s == INT64_MIN && t == -1)) { MIX(s / t); MIX(s % t); }
    MIX((uint32_t)a / ((uint32_t)b | 1)); MIX((int32_t)s % ((int32_t)(t >> 1) | 1));
    MIX((uint16_t)((uint16_t)a / ((uint16_t)b | 1))); MIX((int8_t)((int8_t)s / (int8_t)((t & 62) | 1)));
    int n = (int)(b & 63);
    MIX(a << n); MIX(a >> n); MIX(s >> n); MIX((a << n) | (a >> ((64 - n) & 63)));
    MIX(__builtin_bswap64(a)); MIX(__builtin_bswap32((uint32_t)a)); MIX(__builtin_bswap16((uint16_t)a));
    MIX(__builtin_popcountll(a)); MIX(__builtin_clzll(b)); MIX(__builtin_ctzll(a | 1ull << 63)); MIX(__builtin_parityll(a));
    int64_t o; int over = __builtin_mul_overflow(s, t, &o); MIX(o); MIX(over);
    over = __builtin_add_overflow(s, t, &o); MIX(o); MIX(over);
    over = __builtin_sub_overflow(s, t, &o); MIX(o); MIX(over);
#ifdef __SIZEOF_INT128__
    unsigned __int128 x = (unsigned __int128)a * b, y = ((unsigned __int128)(a & 0xffff) << 64) | b;
    MIX(x); MIX(x / y); MIX(x % b); MIX((__int128)s * t); MIX(x + y); MIX(x - y); MIX(x << n); MIX(x >> n);
#endif
  }
  end("integers");
}

static const int modes[] = { FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO };
#define FLAGS() MIX(fetestexcept(FE_ALL_EXCEPT)); feclearexcept(FE_ALL_EXCEPT)

/* A signalling NaN loses that in registers of the x87 already; which operand's NaN survives is the compiler's choice. */
#define KEEP(value) do { __typeof__(value) k_ = (value); if (k_ == k_) MIX(k_); else MIX(7); } while (0)
#define KEEPL(value) do { volatile long double k_ = (value); if (k_ == k_) MIXL(k_); else MIX(7); } while (0)

static void doubles(void) {
  for (int m = 0; m < 4; m++) {
    begin();
    fesetround(modes[m]);
    feclearexcept(FE_ALL_EXCEPT);
    for (int i = 0; i < ROUNDS; i++) {
      volatile double a = dbl(), b = dbl();
      KEEP(a + b); FLAGS(); KEEP(a - b); FLAGS(); KEEP(a * b); FLAGS(); KEEP(a / b); FLAGS();
      KEEP(sqrt(a)); FLAGS(); KEEP(rint(a)); FLAGS(); KEEP((double)(float)a); FLAGS();
      MIX(a < b); MIX(a == b); MIX(isunordered(a, b)); feclearexcept(FE_ALL_EXCEPT);
      if (fabs(a) < 9e18) { MIX((int64_t)a); MIX(llrint(a)); FLAGS(); }
      if (fabs(a) < 2e9) { MIX((int32_t)a); MIX((uint32_t)(int64_t)a); FLAGS(); }
      if (a > -1 && a < 1.8e19) { MIX((uint64_t)a); FLAGS(); }
      uint64_t u = rnd() >> (rnd() & 63);
      KEEP((double)u); KEEP((double)(int64_t)u); KEEP((float)u); KEEP((float)(int32_t)u); FLAGS();
    }
    char name[32];
    snprintf(name, sizeof name, "double, rounding %d", m);
    fesetround(FE_TONEAREST);
    end(name);
  }
}

static void floats(void) {
  begin();
  feclearexcept(FE_ALL_EXCEPT);
  for (int i = 0; i < ROUNDS; i++) {
    volatile float a = flt(), b = flt();
    KEEP((float)(a + b)); KEEP((float)(a - b)); KEEP((float)(a * b)); KEEP((float)(a / b)); KEEP(sqrtf(a)); KEEP((double)a);
    FLAGS();
  }
  end("float");
}

static void long_doubles(void) {
  for (int m = 0; m < 4; m++) {
    begin();
    fesetround(modes[m]);
    feclearexcept(FE_ALL_EXCEPT);
    for (int i = 0; i < ROUNDS; i++) {
      volatile long double a = (long double)dbl() * 1.0000000000000000017L, b = (long double)dbl() + 0x1p-60L;
      KEEPL(a + b); FLAGS(); KEEPL(a - b); FLAGS(); KEEPL(a * b); FLAGS(); KEEPL(a / b); FLAGS();
      KEEPL(sqrtl(a)); FLAGS(); KEEPL(rintl(a)); FLAGS(); KEEP((double)a); FLAGS(); KEEP((float)a); FLAGS();
      KEEPL(fmodl(a, b)); KEEPL(remainderl(a, b)); feclearexcept(FE_ALL_EXCEPT);
      int e; KEEPL(frexpl(a, &e)); MIX(e); KEEPL(scalbnl(b, (int)(rnd() % 200) - 100)); KEEPL(floorl(a)); KEEPL(ceill(b)); KEEPL(truncl(a));
      feclearexcept(FE_ALL_EXCEPT);
      if (fabsl(a) < 9e18L) { MIX((int64_t)a); MIX(llrintl(a)); FLAGS(); }
      uint64_t u = rnd(); KEEPL((long double)u); KEEPL((long double)(int64_t)u);
      MIX(a < b); MIX(a >= b); MIX(isunordered(a, b)); feclearexcept(FE_ALL_EXCEPT);
    }
    char name[32];
    snprintf(name, sizeof name, "long double, rounding %d", m);
    fesetround(FE_TONEAREST);
    end(name);
  }
}

static void library(void) {
  static double (*const one[])(double) = { sin, cos, tan, exp, log, log2, log10, exp2, expm1, log1p, asin, acos, atan,
                                           sinh, cosh, tanh, asinh, cbrt, erf, tgamma, lgamma, floor, ceil, trunc };
  for (size_t f = 0; f < sizeof one / sizeof *one; f++) {
    begin();
    for (int i = 0; i < 300; i++) KEEP(one[f](dbl()));
    char name[32];
    snprintf(name, sizeof name, "library, function %zu", f);
    end(name);
  }
  begin();
  for (int i = 0; i < 600; i++) {
    double a = dbl(), b = dbl();
    KEEP(pow(fabs(a), b)); KEEP(atan2(a, b)); KEEP(hypot(a, b)); KEEP(fmod(a, b)); KEEP(fma(a, b, a)); KEEP(ldexp(a, (int)(rnd() & 31)));
  }
  end("library, two operands");
}

/* Transcendental x87 instructions may differ in their last bit from one processor to another: 15 digits. */
static void transcendental(void) {
  begin();
  for (int i = 0; i < 1000; i++) {
    long double a = (long double)(int64_t)rnd() / 0x1p60L;
    char text[160];
    int n = snprintf(text, sizeof text, "%.14Lg %.14Lg %.14Lg %.14Lg %.14Lg", sinl(a), cosl(a), expl(a), log2l(fabsl(a)), atanl(a));
    mix(text, (size_t)n);
  }
  end("x87 transcendental");
}

static void text(void) {
  begin();
  for (int i = 0; i < 2000; i++) {
    char said[400];
    double a = dbl();
    long double l = (long double)a / 3;
    int n = snprintf(said, sizeof said, "%.17g %a %.3e %.20Lg %" PRId64, a == a ? a : 0, a == a ? a : 0, a == a ? a : 0, l == l ? l : 0, (int64_t)rnd());
    mix(said, (size_t)n);
    MIX(strtod(said, NULL)); MIX(strtof(said, NULL)); MIXL(strtold(said, NULL));
  }
  end("text");
}

int main(void) {
  integers(); floats(); doubles(); long_doubles(); library(); transcendental(); text();
  printf("%.17g %.21Lg %a\n", 0.1 + 0.2, 1.0L / 3, 0x1p-1074);
  return 0;
}
