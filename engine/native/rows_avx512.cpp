// The row kernels for x86-64 with AVX-512 F, BW, VL and DQ.
#include "row_loops.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define INHIBI_TARGET \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512")))

namespace inhibi {
namespace {

// table[index] of 32 bytes at once: the table is 128 words, whose number is 7 bits of the index,
// and the lowest bit chooses the word's byte.
INHIBI_TARGET void look_up(const InhibiRequantize &p) {
  __m512i words[4];
  for (int i = 0; i < 4; ++i) words[i] = _mm512_loadu_si512(p.table + 64 * i);
  for (size_t i = 0; i < p.rows; ++i) {
    uint8_t *row = p.out + i * p.stride;
    for (size_t k = 0; k < p.columns; k += 32) {
      const size_t n = p.columns - k;
      const __mmask32 kept = n < 32 ? (__mmask32{1} << n) - 1 : ~__mmask32{0};
      const __m512i index = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(kept, row + k));
      const __m512i word = _mm512_srli_epi16(index, 1);
      const __m512i low = _mm512_permutex2var_epi16(words[0], word, words[1]);
      const __m512i high = _mm512_permutex2var_epi16(words[2], word, words[3]);
      const __mmask32 upper = _mm512_movepi16_mask(_mm512_slli_epi16(index, 8));
      const __m512i both = _mm512_mask_blend_epi16(upper, low, high);
      const __m512i byte = _mm512_and_si512(index, _mm512_set1_epi16(1));
      const __m512i value = _mm512_srlv_epi16(both, _mm512_slli_epi16(byte, 3));
      _mm256_mask_storeu_epi8(row + k, kept, _mm512_maskz_cvtepi16_epi8(kept, value));
    }
  }
}

}  // namespace

INHIBI_TARGET void requantize_avx512(const InhibiRequantize *p) {
  requantize_rows(*p);
  if (p->table) look_up(*p);
}

INHIBI_TARGET void add_layer_norm_avx512(const InhibiAddLayerNorm *p) { add_layer_norm_rows(*p); }

INHIBI_TARGET void embed_layer_norm_avx512(const InhibiEmbedLayerNorm *p) {
  embed_layer_norm_rows(*p);
}

}  // namespace inhibi

#endif
