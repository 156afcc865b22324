// Sixteen columns' requantization with AVX-512, in integers as docs/SPEC.md writes it: AVX-512
// shifts 64-bit integers arithmetically and saturates on narrowing. 32-bit columns are multiplied
// as 8 even and 8 odd ones: VPMULDQ takes the lower half of each 64 bits.
#pragma once

#include <immintrin.h>

#include "kernels.h"

#define INHIBI_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

namespace inhibi {

constexpr size_t lanes = 16;

// The first n of 16.
INHIBI_TARGET inline __mmask16 first(size_t n) {
  return static_cast<__mmask16>(n >= lanes ? 0xffff : (1u << n) - 1);
}

// The first n of 16 columns, the others `fill`.
INHIBI_TARGET inline __m512i load(const int32_t* columns, size_t n, int32_t fill = 0) {
  if (n >= lanes) return _mm512_loadu_si512(columns);
  return _mm512_mask_loadu_epi32(_mm512_set1_epi32(fill), first(n), columns);
}

INHIBI_TARGET inline __m128i load(const void* bytes, size_t n) {
  if (n >= lanes) return _mm_loadu_si128(static_cast<const __m128i*>(bytes));
  return _mm_maskz_loadu_epi8(first(n), bytes);
}

INHIBI_TARGET inline void store(uint8_t* out, __m128i bytes, size_t n) {
  if (n >= lanes) return _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
  _mm_mask_storeu_epi8(out, first(n), bytes);
}

INHIBI_TARGET inline __m512i odd(__m512i columns) { return _mm512_srli_epi64(columns, 32); }

// (x*multiplier + bias + 2^(shift-1)) >> shift of 8 columns, in 64 bits.
struct Half {
  __m512i multiplier, start, shift;

  INHIBI_TARGET inline Half(__m512i a_multiplier, __m512i bias, __m512i shifts)
      : multiplier(a_multiplier) {
    const __m512i one = _mm512_set1_epi64(1);
    shift = _mm512_and_si512(shifts, _mm512_set1_epi64(0xff));
    start = _mm512_add_epi64(bias, _mm512_sllv_epi64(one, _mm512_sub_epi64(shift, one)));
  }

  INHIBI_TARGET inline __m512i operator()(__m512i x) const {
    const __m512i sum = _mm512_add_epi64(_mm512_mul_epi32(x, multiplier), start);
    return _mm512_srav_epi64(sum, shift);
  }
};

struct Columns {
  Half even, uneven;

  // req of acc + bias, n columns from the given ones on: (acc + bias)*m = acc*m + bias*m.
  INHIBI_TARGET static inline Columns req(const int32_t* bias, const int32_t* multiplier,
                                          const int32_t* shift, size_t n) {
    const __m512i b = load(bias, n), m = load(multiplier, n), s = load(shift, n, 1);
    return {Half(m, _mm512_mul_epi32(b, m), s),
            Half(odd(m), _mm512_mul_epi32(odd(b), odd(m)), odd(s))};
  }

  // A norm's last step.
  INHIBI_TARGET static inline Columns norm(const InhibiNorm& p, size_t k, size_t n) {
    const __m512i evens = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odds = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);
    const __mmask16 kept = first(n);
    const __m512i low = _mm512_maskz_loadu_epi64(static_cast<__mmask8>(kept), p.bias + k);
    const __m512i high = _mm512_maskz_loadu_epi64(static_cast<__mmask8>(kept >> 8), p.bias + k + 8);
    const __m512i w = load(p.weight + k, n), s = load(p.shift + k, n, 1);
    return {Half(w, _mm512_permutex2var_epi64(low, evens, high), s),
            Half(odd(w), _mm512_permutex2var_epi64(low, odds, high), odd(s))};
  }

  // Saturated to bytes.
  INHIBI_TARGET inline __m128i bytes(__m512i even_x, __m512i odd_x) const {
    return _mm_unpacklo_epi8(_mm512_maskz_cvtsepi64_epi8(0xff, even(even_x)),
                             _mm512_maskz_cvtsepi64_epi8(0xff, uneven(odd_x)));
  }

  // Saturated to 16 bits.
  INHIBI_TARGET inline __m256i words(__m512i x) const {
    const __m128i e = _mm512_maskz_cvtsepi64_epi16(0xff, even(x));
    const __m128i o = _mm512_maskz_cvtsepi64_epi16(0xff, uneven(odd(x)));
    return _mm256_set_m128i(_mm_unpackhi_epi16(e, o), _mm_unpacklo_epi16(e, o));
  }
};

}  // namespace inhibi
