// Requantization for x86-64 with AVX-512.
#include "rows.h"

#if defined(__x86_64__)

#include <algorithm>

#include "columns_avx512.h"

namespace inhibi {
namespace {

constexpr size_t kRows = 8;  // that share the parameters of 32 columns in registers

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

}  // namespace

INHIBI_TARGET void requantize_avx512(const InhibiRequantize* pointer) {
  const InhibiRequantize p = *pointer;
  const __m256i lo = _mm256_set1_epi8(static_cast<char>(p.lo));
  const __m256i hi = _mm256_set1_epi8(static_cast<char>(p.hi));
  __m512i words[4] = {};
  for (int i = 0; i < 4 && p.table; ++i) words[i] = _mm512_loadu_si512(p.table + 64 * i);
  for (size_t first_row = 0; first_row < p.rows; first_row += kRows) {
    const size_t end = std::min(p.rows, first_row + kRows);
    for (size_t k = 0; k < p.columns; k += 2 * lanes) {
      const size_t n = p.columns - k, above = n > lanes ? n - lanes : 0;
      const size_t next = above ? k + lanes : 0;  // no pointer beyond the columns
      const Columns low = Columns::req(p.bias + k, p.multiplier + k, p.shift + k, n);
      const Columns high = Columns::req(p.bias + next, p.multiplier + next, p.shift + next, above);
      for (size_t i = first_row; i < end; ++i) {
        const int32_t* acc = p.acc + i * p.acc_stride;
        const __m512i x = load(acc + k, n), y = load(acc + next, above);
        __m256i bytes = _mm256_set_m128i(high.bytes(y, odd(y)), low.bytes(x, odd(x)));
        bytes = _mm256_min_epi8(_mm256_max_epi8(bytes, lo), hi);
        bytes = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
        if (p.table) bytes = look_up(words, bytes);
        uint8_t* out = p.out + i * p.stride + k;
        store(out, _mm256_castsi256_si128(bytes), n);
        if (above) store(out + lanes, _mm256_extracti128_si256(bytes, 1), above);
      }
    }
  }
}

}  // namespace inhibi

#endif
