// The inhibitor with AVX2: VPSADBW, and products with the signs that add up in 16 bits.
#if defined(__x86_64__)
#include <immintrin.h>

#include "inhibitor.h"
#include "pack.h"
#include "vectors_avx2.h"

namespace inhibi {
namespace {

// The sum of 8 lanes without a sign, in 64 bits.
AVX2 inline int64_t reduce(__m256i lanes) {
  const __m256i low = _mm256_and_si256(lanes, _mm256_set1_epi64x(0xffffffff));
  const __m256i sums = _mm256_add_epi64(low, _mm256_srli_epi64(lanes, 32));
  const __m128i both =
      _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  return _mm_cvtsi128_si64(both) + _mm_extract_epi64(both, 1);
}

// Four queries by 8 keys at a time: 8 accumulators of 64-bit lanes, as in inhibitor_avx512.cpp.
AVX2 void distances(const uint8_t* query, const uint8_t* packed, size_t d, size_t blocks,
                    int32_t* s, int64_t* sums) {
  const size_t keys = blocks * block_keys;
  for (size_t first = 0; first < queries; first += 4, query += 4 * d, s += 4 * keys) {
    __m256i sum[4] = {};
    for (size_t half = 0; half < blocks * 2; ++half) {
      const uint8_t* key = packed + half / 2 * packed_bytes(d) + half % 2 * 32;
      __m256i even[4] = {}, odd[4] = {};
      for (size_t k = 0; k < d; k += 8) {
        const __m256i evens = load(key + k * block_keys), odds = load(key + k * block_keys + 64);
        UNROLL for (size_t i = 0; i < 4; ++i) {
          const __m256i q = _mm256_set1_epi64x(load64(query + i * d + k));
          even[i] = _mm256_add_epi64(even[i], _mm256_sad_epu8(evens, q));
          odd[i] = _mm256_add_epi64(odd[i], _mm256_sad_epu8(odds, q));
        }
      }
      UNROLL for (size_t i = 0; i < 4; ++i) {
        const __m256i both = _mm256_or_si256(even[i], _mm256_slli_epi64(odd[i], 32));
        sum[i] = _mm256_add_epi32(sum[i], both);
        store(s + i * keys + half * 8, both);
      }
    }
    for (size_t i = 0; i < 4; ++i) sums[first + i] = reduce(sum[i]);
  }
}

AVX2 void thresholds(const int32_t* s, size_t blocks, int32_t multiplier, const int64_t* offset,
                     int32_t shift, uint8_t* z) {
  const size_t keys = blocks * block_keys;
  const __m256i factor = _mm256_set1_epi32(multiplier), most = _mm256_set1_epi8(127);
  const __m128i count = _mm_cvtsi32_si128(shift);
  for (size_t first = 0; first < queries; first += 4) {
    __m256i start[4];
    for (size_t i = 0; i < 4; ++i) {
      start[i] = _mm256_set1_epi32(static_cast<int32_t>(offset[first + i]));
    }
    for (size_t j = 0; j < keys; j += 8, z += 32) {
      __m256i score[4];
      UNROLL for (size_t i = 0; i < 4; ++i) {
        score[i] = _mm256_mullo_epi32(load(s + (first + i) * keys + j), factor);
        score[i] = _mm256_sra_epi32(_mm256_add_epi32(score[i], start[i]), count);
      }
      const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(score[0], score[1]),
                                                _mm256_packs_epi32(score[2], score[3]));
      store(z, _mm256_min_epu8(bytes, most));
    }
  }
}

// Four queries by 16 channels. Products of pairs, within +-254, add up in 16 bits for 128 groups.
AVX2 void inhibit(const uint8_t* z, const uint8_t* magnitude, const int8_t* sign,
                  const int32_t* total, size_t groups, size_t blocks, size_t width, int32_t* h) {
  const __m256i ones = _mm256_set1_epi16(1);
  for (size_t i = 0; i < queries; ++i) {
    for (size_t k = 0; k < width; ++k) h[i * width + k] = total[k];
  }
  for (size_t start = 0; start < groups; start += 128) {
    const size_t end = start + 128 < groups ? start + 128 : groups;
    for (size_t first = 0; first < queries; first += 4) {
      for (size_t k = 0; k < width; k += 16) {
        __m256i low[4] = {}, high[4] = {};
        for (size_t group = start; group < end; ++group) {
          const size_t at = (group * width + k) * 4;
          const __m256i low_value = load(magnitude + at), high_value = load(magnitude + at + 32);
          const __m256i low_sign = load(sign + at), high_sign = load(sign + at + 32);
          const uint8_t* limits = z + first / 4 * blocks * 64 + group * 16;
          UNROLL for (size_t i = 0; i < 4; ++i) {
            const __m256i limit = _mm256_set1_epi32(load32(limits + i * 4));
            low[i] = _mm256_add_epi16(
                low[i], _mm256_maddubs_epi16(_mm256_min_epu8(low_value, limit), low_sign));
            high[i] = _mm256_add_epi16(
                high[i], _mm256_maddubs_epi16(_mm256_min_epu8(high_value, limit), high_sign));
          }
        }
        UNROLL for (size_t i = 0; i < 4; ++i) {
          int32_t* row = h + (first + i) * width + k;
          store(row, _mm256_sub_epi32(load(row), _mm256_madd_epi16(low[i], ones)));
          store(row + 8, _mm256_sub_epi32(load(row + 8), _mm256_madd_epi16(high[i], ones)));
        }
      }
    }
  }
}

}  // namespace

const InhibiInhibitorKernels inhibitor_avx2 = {pack_eights, pack_magnitudes_avx2, distances,
                                               thresholds, inhibit};

}  // namespace inhibi

#endif
