// The row kernels for x86-64 with AVX2 and FMA.
#include "row_loops.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define INHIBI_TARGET __attribute__((target("avx2,fma")))

namespace inhibi {
namespace {

// table[index] of 32 bytes at once, from 16 pieces of 16 bytes: VPSHUFB gives 0 for indices with
// the highest bit, which those of other pieces get by saturation.
INHIBI_TARGET void look_up(const InhibiRequantize& p) {
  __m256i piece[16];
  for (int i = 0; i < 16; ++i) {
    const __m128i* from = reinterpret_cast<const __m128i*>(p.table + 16 * i);
    piece[i] = _mm256_broadcastsi128_si256(_mm_loadu_si128(from));
  }
  for (size_t row = 0; row < p.rows; ++row) {
    uint8_t* out = p.out + row * p.stride;
    size_t k = 0;
    for (; k + 32 <= p.columns; k += 32) {
      __m256i* bytes = reinterpret_cast<__m256i*>(out + k);
      __m256i index = _mm256_loadu_si256(bytes), value = _mm256_setzero_si256();
      for (int i = 0; i < 16; ++i) {
        const __m256i own = _mm256_adds_epu8(index, _mm256_set1_epi8(0x70));
        value = _mm256_or_si256(value, _mm256_shuffle_epi8(piece[i], own));
        index = _mm256_sub_epi8(index, _mm256_set1_epi8(16));
      }
      _mm256_storeu_si256(bytes, value);
    }
    for (; k < p.columns; ++k) out[k] = p.table[out[k]];
  }
}

}  // namespace

INHIBI_TARGET void requantize_avx2(const InhibiRequantize* p) {
  requantize_rows(*p);
  if (p->table) look_up(*p);
}

INHIBI_TARGET void add_layer_norm_avx2(const InhibiAddLayerNorm* p) { add_layer_norm_rows(*p); }

INHIBI_TARGET void embed_layer_norm_avx2(const InhibiEmbedLayerNorm* p) {
  embed_layer_norm_rows(*p);
}

}  // namespace inhibi

#endif
