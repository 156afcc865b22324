// The row kernels for x86-64 with AVX-512 F, BW, VL and DQ.
//
// AVX-512 shifts 64-bit integers arithmetically and saturates on narrowing, so that requantization
// is done in integers here, as SPEC writes it: 16 columns as 8 even and 8 odd ones.
#include "row_loops.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

#define INHIBI_TARGET \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,prefer-vector-width=512")))

namespace inhibi {
namespace {

constexpr ptrdiff_t kLanes = 16;

// The first n of 16 columns, the others `fill`; none for n <= 0, all for n >= 16.
INHIBI_TARGET inline __m512i load(const int32_t* columns, ptrdiff_t n, int32_t fill = 0) {
  if (n >= kLanes) return _mm512_loadu_si512(columns);
  const __mmask16 kept = static_cast<__mmask16>(n > 0 ? (1 << n) - 1 : 0);
  return _mm512_mask_loadu_epi32(_mm512_set1_epi32(fill), kept, columns);
}

// Parameters of up to kBlock columns, aligned; shifts and the halves of their rounding as int64, of
// each 16 columns the even ones first.
struct Parameters {
  alignas(64) int32_t bias[kBlock], multiplier[kBlock];
  alignas(64) int64_t shift[kBlock], half[kBlock];

  INHIBI_TARGET inline void read(const InhibiRequantize& p, size_t first, ptrdiff_t n) {
    const __m512i one = _mm512_set1_epi64(1);
    for (ptrdiff_t k = 0; k < (n + 31) / 32 * 32; k += kLanes) {
      _mm512_store_si512(bias + k, load(p.bias + first + k, n - k));
      _mm512_store_si512(multiplier + k, load(p.multiplier + first + k, n - k));
      const __m512i all = load(p.shift + first + k, n - k, 1);
      const __m512i parts[2] = {_mm512_and_si512(all, _mm512_set1_epi64(0xff)),
                                _mm512_srli_epi64(all, 32)};
      for (int odd = 0; odd < 2; ++odd) {
        _mm512_store_si512(shift + k + 8 * odd, parts[odd]);
        _mm512_store_si512(half + k + 8 * odd,
                           _mm512_sllv_epi64(one, _mm512_sub_epi64(parts[odd], one)));
      }
    }
  }

  // (product + half) >> shift of 8 even or odd columns.
  INHIBI_TARGET inline __m512i rounded(__m512i product, ptrdiff_t k) const {
    return _mm512_srav_epi64(_mm512_add_epi64(product, _mm512_load_si512(half + k)),
                             _mm512_load_si512(shift + k));
  }

  // req of 16 columns, saturated to bytes.
  INHIBI_TARGET inline __m128i req(__m512i acc, ptrdiff_t k) const {
    const __m512i sum = _mm512_add_epi32(acc, _mm512_load_si512(bias + k));
    const __m512i m = _mm512_load_si512(multiplier + k);
    const __m512i even = rounded(_mm512_mul_epi32(sum, m), k);
    const __m512i odd =
        rounded(_mm512_mul_epi32(_mm512_srli_epi64(sum, 32), _mm512_srli_epi64(m, 32)), k + 8);
    return _mm_unpacklo_epi8(_mm512_maskz_cvtsepi64_epi8(0xff, even),
                             _mm512_maskz_cvtsepi64_epi8(0xff, odd));
  }
};

// table[index] of 32 bytes: the table is 128 words, whose number is 7 bits of the index, and the
// lowest bit chooses the word's byte.
INHIBI_TARGET inline __m256i look_up(const __m512i words[4], __m256i bytes) {
  const __m512i index = _mm512_cvtepu8_epi16(bytes);
  const __m512i word = _mm512_srli_epi16(index, 1);
  const __m512i low = _mm512_permutex2var_epi16(words[0], word, words[1]);
  const __m512i high = _mm512_permutex2var_epi16(words[2], word, words[3]);
  const __mmask32 upper = _mm512_movepi16_mask(_mm512_slli_epi16(index, 8));
  const __m512i both = _mm512_mask_blend_epi16(upper, low, high);
  const __m512i byte = _mm512_and_si512(index, _mm512_set1_epi16(1));
  return _mm512_maskz_cvtepi16_epi8(-1, _mm512_srlv_epi16(both, _mm512_slli_epi16(byte, 3)));
}

INHIBI_TARGET inline void store(__m256i bytes, ptrdiff_t n, uint8_t* out) {
  if (n >= 32)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), bytes);
  else
    _mm256_mask_storeu_epi8(out, (__mmask32{1} << n) - 1, bytes);
}

}  // namespace

INHIBI_TARGET void requantize_avx512(const InhibiRequantize* pointer) {
  const InhibiRequantize p = *pointer;
  const __m256i lo = _mm256_set1_epi8(static_cast<char>(p.lo));
  const __m256i hi = _mm256_set1_epi8(static_cast<char>(p.hi));
  Parameters parameters;
  __m512i words[4] = {};
  for (int i = 0; i < 4 && p.table; ++i) words[i] = _mm512_loadu_si512(p.table + 64 * i);
  for (size_t first = 0; first < p.columns; first += kBlock) {
    const ptrdiff_t n = static_cast<ptrdiff_t>(std::min(p.columns - first, kBlock));
    parameters.read(p, first, n);
    for (size_t i = 0; i < p.rows; ++i) {
      const int32_t* acc = p.acc + i * p.columns + first;
      uint8_t* out = p.out + i * p.stride + first;
      for (ptrdiff_t k = 0; k < n; k += 2 * kLanes) {
        const __m128i low = parameters.req(load(acc + k, n - k), k);
        const __m128i high = parameters.req(load(acc + k + kLanes, n - k - kLanes), k + kLanes);
        __m256i bytes = _mm256_min_epi8(_mm256_max_epi8(_mm256_set_m128i(high, low), lo), hi);
        bytes = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
        if (p.table) bytes = look_up(words, bytes);
        store(bytes, n - k, out + k);
      }
    }
  }
}

}  // namespace inhibi

#endif
