/*
 * SIMD and the special instructions through the compiler's intrinsics: every operation on random vectors, in a loop
 * that feeds results back, one digest an instruction set.
 */
#include "check.h"
#include <immintrin.h>

#define ROUNDS 3000

static __m128i a, b, c;

static __m128i vec(void) {
  uint64_t lo = rnd(), hi = rnd();
  /* Now and then words of all zeros or ones, for saturation and comparison. */
  if ((lo & 7) == 0) hi = 0;
  if ((lo & 7) == 1) hi = ~0ull;
  return _mm_set_epi64x((long long)hi, (long long)lo);
}

#define OP(expression) do { c = (expression); mix(&c, sizeof c); } while (0)
#define OPS(expression) MIX(expression)
#define ROUND(name, body) static void name(void) { begin(); for (int i = 0; i < ROUNDS; i++) { a = vec(); b = vec(); body } end(#name); }

ROUND(sse2_integer,
  OP(_mm_add_epi8(a, b)); OP(_mm_add_epi16(a, b)); OP(_mm_add_epi32(a, b)); OP(_mm_add_epi64(a, b));
  OP(_mm_adds_epi8(a, b)); OP(_mm_adds_epi16(a, b)); OP(_mm_adds_epu8(a, b)); OP(_mm_adds_epu16(a, b));
  OP(_mm_sub_epi8(a, b)); OP(_mm_sub_epi16(a, b)); OP(_mm_sub_epi32(a, b)); OP(_mm_sub_epi64(a, b));
  OP(_mm_subs_epi8(a, b)); OP(_mm_subs_epi16(a, b)); OP(_mm_subs_epu8(a, b)); OP(_mm_subs_epu16(a, b));
  OP(_mm_mullo_epi16(a, b)); OP(_mm_mulhi_epi16(a, b)); OP(_mm_mulhi_epu16(a, b)); OP(_mm_mul_epu32(a, b)); OP(_mm_madd_epi16(a, b));
  OP(_mm_avg_epu8(a, b)); OP(_mm_avg_epu16(a, b)); OP(_mm_sad_epu8(a, b));
  OP(_mm_max_epi16(a, b)); OP(_mm_min_epi16(a, b)); OP(_mm_max_epu8(a, b)); OP(_mm_min_epu8(a, b));
  OP(_mm_and_si128(a, b)); OP(_mm_andnot_si128(a, b)); OP(_mm_or_si128(a, b)); OP(_mm_xor_si128(a, b));
  OP(_mm_cmpeq_epi8(a, b)); OP(_mm_cmpeq_epi16(a, b)); OP(_mm_cmpeq_epi32(a, b));
  OP(_mm_cmpgt_epi8(a, b)); OP(_mm_cmpgt_epi16(a, b)); OP(_mm_cmpgt_epi32(a, b));
  __m128i n = _mm_cvtsi32_si128((int)(rnd() % 70));
  OP(_mm_sll_epi16(a, n)); OP(_mm_sll_epi32(a, n)); OP(_mm_sll_epi64(a, n)); OP(_mm_srl_epi16(a, n)); OP(_mm_srl_epi32(a, n));
  OP(_mm_srl_epi64(a, n)); OP(_mm_sra_epi16(a, n)); OP(_mm_sra_epi32(a, n)); OP(_mm_slli_si128(a, 5)); OP(_mm_srli_si128(a, 11));
  OP(_mm_slli_epi64(a, 13)); OP(_mm_srai_epi32(a, 31)); OP(_mm_srli_epi16(a, 3));
  OP(_mm_packs_epi16(a, b)); OP(_mm_packs_epi32(a, b)); OP(_mm_packus_epi16(a, b));
  OP(_mm_unpackhi_epi8(a, b)); OP(_mm_unpacklo_epi8(a, b)); OP(_mm_unpackhi_epi16(a, b)); OP(_mm_unpacklo_epi16(a, b));
  OP(_mm_unpackhi_epi32(a, b)); OP(_mm_unpacklo_epi32(a, b)); OP(_mm_unpackhi_epi64(a, b)); OP(_mm_unpacklo_epi64(a, b));
  OP(_mm_shuffle_epi32(a, 0x1b)); OP(_mm_shufflehi_epi16(a, 0x72)); OP(_mm_shufflelo_epi16(a, 0x9c)); OP(_mm_insert_epi16(a, 77, 6));
  OPS(_mm_movemask_epi8(a)); OPS(_mm_extract_epi16(a, 3)); OPS(_mm_movemask_pd(_mm_castsi128_pd(a))); OPS(_mm_movemask_ps(_mm_castsi128_ps(b)));
)

/* Finite values: which NaN comes out of two is checked elsewhere. */
static __m128d finite_pair(void) { double lo = dbl(), hi = dbl(); return _mm_set_pd(hi - hi == 0 ? hi : 1.5, lo - lo == 0 ? lo : -2.5); }
static __m128 finites(void) { return _mm_set_ps((float)(int32_t)rnd() / 3, (float)(int16_t)rnd(), (float)(int32_t)rnd() * 1e-30f, (float)(int8_t)rnd() / 7); }
#define OPD(expression) OP(_mm_castpd_si128(expression))
#define OPF(expression) OP(_mm_castps_si128(expression))

ROUND(sse2_float,
  __m128d x = finite_pair(); __m128d y = finite_pair(); __m128 f = finites(); __m128 g = finites();
  y = _mm_or_pd(y, _mm_set1_pd(0x1p-1022)); g = _mm_or_ps(g, _mm_set1_ps(0x1p-126f));
  OPD(_mm_add_pd(x, y)); OPD(_mm_sub_pd(y, x)); OPD(_mm_mul_pd(x, y)); OPD(_mm_div_pd(x, y)); OPD(_mm_sqrt_pd(_mm_andnot_pd(_mm_set1_pd(-0.0), x)));
  OPD(_mm_max_pd(x, y)); OPD(_mm_min_pd(x, y)); OPD(_mm_cmplt_pd(x, y)); OPD(_mm_cmpneq_pd(x, y)); OPD(_mm_cmpord_pd(x, y)); OPD(_mm_shuffle_pd(x, y, 1));
  OPF(_mm_add_ps(f, g)); OPF(_mm_sub_ps(g, f)); OPF(_mm_mul_ps(f, g)); OPF(_mm_div_ps(f, g)); OPF(_mm_sqrt_ps(_mm_andnot_ps(_mm_set1_ps(-0.0f), f)));
  OPF(_mm_max_ps(f, g)); OPF(_mm_min_ps(f, g)); OPF(_mm_cmple_ps(f, g)); OPF(_mm_cmpunord_ps(f, g)); OPF(_mm_shuffle_ps(f, g, 0x8d));
  OPF(_mm_unpackhi_ps(f, g)); OPF(_mm_movehl_ps(f, g)); OPF(_mm_movelh_ps(f, g)); OPF(_mm_cvtpd_ps(x)); OPD(_mm_cvtps_pd(f)); OP(_mm_cvtps_epi32(f));
  OP(_mm_cvttps_epi32(f)); OP(_mm_cvtpd_epi32(x)); OP(_mm_cvttpd_epi32(x)); OPF(_mm_cvtepi32_ps(a)); OPD(_mm_cvtepi32_pd(a));
  OPS(_mm_comilt_sd(x, y)); OPS(_mm_ucomieq_sd(x, y)); OPS(_mm_comigt_ss(f, g)); OPS(_mm_cvtsd_si32(x)); OPS(_mm_cvttss_si32(f));
  OPD(_mm_add_sd(x, y)); OPF(_mm_div_ss(f, g)); OPD(_mm_sqrt_sd(x, _mm_andnot_pd(_mm_set1_pd(-0.0), y))); OPD(_mm_cvtss_sd(x, f)); OPF(_mm_cvtsd_ss(f, y));
)

ROUND(ssse3_and_sse4_1,
  OP(_mm_shuffle_epi8(a, b)); OP(_mm_alignr_epi8(a, b, 5)); OP(_mm_alignr_epi8(a, b, 21)); OP(_mm_hadd_epi16(a, b)); OP(_mm_hadd_epi32(a, b)); OP(_mm_hadds_epi16(a, b));
  OP(_mm_hsub_epi16(a, b)); OP(_mm_hsub_epi32(a, b)); OP(_mm_hsubs_epi16(a, b)); OP(_mm_maddubs_epi16(a, b)); OP(_mm_mulhrs_epi16(a, b));
  OP(_mm_sign_epi8(a, b)); OP(_mm_sign_epi16(a, b)); OP(_mm_sign_epi32(a, b)); OP(_mm_abs_epi8(a)); OP(_mm_abs_epi16(a)); OP(_mm_abs_epi32(a));
  OP(_mm_blendv_epi8(a, b, c)); OP(_mm_blend_epi16(a, b, 0xa5)); OP(_mm_mullo_epi32(a, b)); OP(_mm_mul_epi32(a, b)); OP(_mm_packus_epi32(a, b)); OP(_mm_minpos_epu16(a));
  OP(_mm_max_epi8(a, b)); OP(_mm_max_epi32(a, b)); OP(_mm_max_epu16(a, b)); OP(_mm_max_epu32(a, b)); OP(_mm_min_epi8(a, b)); OP(_mm_min_epi32(a, b)); OP(_mm_min_epu16(a, b)); OP(_mm_min_epu32(a, b));
  OP(_mm_cvtepi8_epi16(a)); OP(_mm_cvtepi8_epi64(a)); OP(_mm_cvtepu8_epi32(a)); OP(_mm_cvtepi16_epi32(a)); OP(_mm_cvtepu16_epi64(a)); OP(_mm_cvtepi32_epi64(a)); OP(_mm_cvtepu32_epi64(a));
  OP(_mm_mpsadbw_epu8(a, b, 5)); OP(_mm_cmpeq_epi64(a, b)); OP(_mm_insert_epi8(a, 99, 9)); OP(_mm_insert_epi32(a, -5, 2));
  OPS(_mm_extract_epi8(a, 13)); OPS(_mm_extract_epi32(a, 1)); OPS(_mm_testz_si128(a, b)); OPS(_mm_testc_si128(a, b)); OPS(_mm_testnzc_si128(a, b));
  __m128d x = finite_pair(); __m128 f = finites(); __m128 g = finites();
  OPD(_mm_floor_pd(x)); OPD(_mm_ceil_pd(x)); OPF(_mm_round_ps(f, _MM_FROUND_TO_NEAREST_INT)); OPD(_mm_dp_pd(_mm_set1_pd(1.25), _mm_cvtps_pd(f), 0x31)); OPF(_mm_dp_ps(f, g, 0xf5));
  OPD(_mm_addsub_pd(x, x)); OPF(_mm_hadd_ps(f, g)); OPD(_mm_blendv_pd(x, _mm_castsi128_pd(a), _mm_castsi128_pd(b))); OPF(_mm_insert_ps(f, g, 0x9a));
)

ROUND(sse4_2_and_popcnt,
  a = _mm_and_si128(a, _mm_set1_epi8(7)); b = _mm_and_si128(b, _mm_set1_epi8(7));
  OP(_mm_cmpgt_epi64(a, b)); OP(_mm_cmpistrm(a, b, 0x00)); OP(_mm_cmpistrm(a, b, 0x44)); OP(_mm_cmpistrm(a, b, 0x7b)); OP(_mm_cmpestrm(a, 9, b, 14, 0x0c));
  OPS(_mm_cmpistri(a, b, 0x08)); OPS(_mm_cmpistri(a, b, 0x5a)); OPS(_mm_cmpistrc(a, b, 0x0c)); OPS(_mm_cmpestri(a, 5, b, 16, 0x4c)); OPS(_mm_cmpestrz(a, 3, b, 20, 0x18));
  OPS(_mm_crc32_u8((unsigned)i, (unsigned char)rnd())); OPS(_mm_crc32_u16((unsigned)i, (unsigned short)rnd())); OPS(_mm_crc32_u32((unsigned)i, (unsigned)rnd()));
  OPS(_mm_popcnt_u32((unsigned)rnd()));
)

ROUND(aes_and_pclmulqdq,
  OP(_mm_aesenc_si128(a, b)); a = c; OP(_mm_aesenclast_si128(a, b)); OP(_mm_aesdec_si128(a, b)); a = c; OP(_mm_aesdeclast_si128(a, b));
  OP(_mm_aesimc_si128(a)); OP(_mm_aeskeygenassist_si128(a, 0x1b)); OP(_mm_aeskeygenassist_si128(b, 0x80));
  OP(_mm_clmulepi64_si128(a, b, 0x00)); OP(_mm_clmulepi64_si128(a, b, 0x01)); OP(_mm_clmulepi64_si128(a, b, 0x10)); OP(_mm_clmulepi64_si128(a, b, 0x11));
)

ROUND(sha,
  OP(_mm_sha1msg1_epu32(a, b)); OP(_mm_sha1msg2_epu32(a, b)); OP(_mm_sha1nexte_epu32(a, b)); OP(_mm_sha1rnds4_epu32(a, b, 0)); OP(_mm_sha1rnds4_epu32(a, b, 1));
  OP(_mm_sha1rnds4_epu32(a, b, 2)); OP(_mm_sha1rnds4_epu32(a, b, 3)); OP(_mm_sha256msg1_epu32(a, b)); OP(_mm_sha256msg2_epu32(a, b)); OP(_mm_sha256rnds2_epu32(a, b, c));
)

ROUND(general_registers,
  unsigned u = (unsigned)rnd(); unsigned v = (unsigned)rnd() >> (rnd() & 31); unsigned w;
  OPS(_andn_u32(u, v)); OPS(_bextr_u32(u, v & 31, u & 31)); OPS(_blsi_u32(v)); OPS(_blsmsk_u32(v)); OPS(_blsr_u32(v)); OPS(_tzcnt_u32(v)); OPS(_lzcnt_u32(v));
  OPS(_bzhi_u32(u, v & 63)); OPS(_pdep_u32(u, v)); OPS(_pext_u32(u, v)); 
  unsigned char carry = _addcarry_u32((unsigned char)(i & 1), u, v, &w); OPS(carry); OPS(w); carry = _subborrow_u32(carry, v, u, &w); OPS(carry); OPS(w);
  carry = _addcarryx_u32(carry, w, u, &w); OPS(carry); OPS(w);
#ifdef __x86_64__
  unsigned long long p = rnd(); unsigned long long q = rnd() >> (rnd() & 63); unsigned long long r;
  OPS(_andn_u64(p, q)); OPS(_bextr_u64(p, q & 63, p & 63)); OPS(_blsi_u64(q)); OPS(_blsmsk_u64(q)); OPS(_blsr_u64(q)); OPS(_tzcnt_u64(q)); OPS(_lzcnt_u64(q));
  OPS(_bzhi_u64(p, q & 127)); OPS(_pdep_u64(p, q)); OPS(_pext_u64(p, q)); OPS(_mulx_u64(p, q, &r)); OPS(r); OPS(_mm_popcnt_u64(p)); OPS(_mm_crc32_u64(u, p));
  carry = _addcarry_u64(carry, p, q, &r); OPS(carry); OPS(r); carry = _subborrow_u64(carry, q, p, &r); OPS(carry); OPS(r); carry = _addcarryx_u64(carry, r, p, &r); OPS(carry); OPS(r);
  OPS(_mm_cvtsi128_si64(a)); OP(_mm_insert_epi64(a, (long long)p, 1)); OPS(_mm_cvttsd_si64(finite_pair()));
#endif
#ifndef __x86_64__
  OPS(_mulx_u32(u, v, &w)); OPS(w);
#endif
  unsigned swapped; __asm__("movbe %1, %0" : "=r"(swapped) : "m"(u)); OPS(swapped);
)

/* Loops that the compiler makes vectors of. */
static void loops(void) {
  static float f[1024];
  static double d[1024];
  static int32_t n[1024];
  static uint8_t s[1024];
  static int16_t h[1024];
  begin();
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < 1024; i++) { f[i] = (float)(int32_t)rnd() / 65536; d[i] = (double)(int64_t)rnd() / 0x1p40; n[i] = (int32_t)rnd(); s[i] = (uint8_t)rnd(); h[i] = (int16_t)rnd(); }
    for (int i = 0; i < 1024; i++) f[i] = f[i] * 1.5f + (float)n[i];
    for (int i = 0; i < 1024; i++) d[i] = d[i] / 3 + f[i];
    for (int i = 0; i < 1024; i++) n[i] = n[i] * 7 + s[i] - h[i];
    for (int i = 0; i < 1024; i++) s[i] = (uint8_t)((s[i] + (uint8_t)n[i] + 1) >> 1);
    for (int i = 0; i < 1024; i++) h[i] = (int16_t)(h[i] > 1000 ? h[i] >> 2 : -h[i]);
    int64_t sum = 0; for (int i = 0; i < 1024; i++) sum += n[i] ^ h[i];
    mix(f, sizeof f); mix(d, sizeof d); mix(n, sizeof n); mix(s, sizeof s); mix(h, sizeof h); MIX(sum);
  }
  end("loops");
}

int main(void) {
  sse2_integer(); sse2_float(); ssse3_and_sse4_1(); sse4_2_and_popcnt(); aes_and_pclmulqdq(); sha(); general_registers(); loops();
  return 0;
}
