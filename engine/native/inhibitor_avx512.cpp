// The inhibitor with AVX-512BW, and with VNNI, which multiplies and adds four bytes at once.
#if defined(__x86_64__)

#include <immintrin.h>

#include "inhibitor.h"
#include "pack.h"
#include "vectors_x86.h"

#define AVX512BW __attribute__((target("avx512f,avx512bw,avx512vl")))
#define AVX512VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

namespace inhibi {
namespace {

// The sum of 16 lanes without a sign, in 64 bits.
AVX512BW inline int64_t reduce(__m512i lanes) {
  const __m512i low = _mm512_and_si512(lanes, _mm512_set1_epi64(0xffffffff));
  return _mm512_reduce_add_epi64(_mm512_add_epi64(low, _mm512_srli_epi64(lanes, 32)));
}

// VPSADBW sums 8 bytes of 8 keys into 64-bit lanes; even and odd keys then share a register.
AVX512BW void distances(const uint8_t* query, const uint8_t* packed, size_t d, size_t blocks,
                        int32_t* s, int64_t* sums) {
  const size_t keys = blocks * block_keys;
  __m512i sum[queries] = {};
  for (size_t block = 0; block < blocks; ++block) {
    const uint8_t* key = packed + block * packed_bytes(d);
    __m512i even[queries] = {}, odd[queries] = {};
    for (size_t k = 0; k < d; k += 8) {
      const __m512i evens = _mm512_loadu_si512(key + k * block_keys);
      const __m512i odds = _mm512_loadu_si512(key + k * block_keys + 64);
      UNROLL for (size_t i = 0; i < queries; ++i) {
        const __m512i q = _mm512_set1_epi64(load64(query + i * d + k));
        even[i] = _mm512_add_epi64(even[i], _mm512_sad_epu8(evens, q));
        odd[i] = _mm512_add_epi64(odd[i], _mm512_sad_epu8(odds, q));
      }
    }
    UNROLL for (size_t i = 0; i < queries; ++i) {
      const __m512i both = _mm512_or_si512(even[i], _mm512_slli_epi64(odd[i], 32));
      sum[i] = _mm512_add_epi32(sum[i], both);
      _mm512_storeu_si512(s + i * keys + block * block_keys, both);
    }
  }
  for (size_t i = 0; i < queries; ++i) sums[i] = reduce(sum[i]);
}

// Four queries' scores pack into one register, in the order that attention.h gives.
AVX512BW void thresholds(const int32_t* s, size_t blocks, int32_t multiplier, const int64_t* offset,
                         int32_t shift, uint8_t* z) {
  const size_t keys = blocks * block_keys;
  const __m512i factor = _mm512_set1_epi32(multiplier), most = _mm512_set1_epi8(127);
  const __m128i count = _mm_cvtsi32_si128(shift);
  for (size_t first = 0; first < queries; first += 4) {
    __m512i start[4];
    for (size_t i = 0; i < 4; ++i) {
      start[i] = _mm512_set1_epi32(static_cast<int32_t>(offset[first + i]));
    }
    for (size_t block = 0; block < blocks; ++block, z += 64) {
      __m512i score[4];
      UNROLL for (size_t i = 0; i < 4; ++i) {
        const __m512i row = _mm512_loadu_si512(s + (first + i) * keys + block * block_keys);
        score[i] = _mm512_add_epi32(_mm512_mullo_epi32(row, factor), start[i]);
        score[i] = _mm512_sra_epi32(score[i], count);
      }
      const __m512i bytes = _mm512_packus_epi16(_mm512_packs_epi32(score[0], score[1]),
                                                _mm512_packs_epi32(score[2], score[3]));
      _mm512_storeu_si512(z, _mm512_min_epu8(bytes, most));
    }
  }
}

// Two registers are 32 channels of 4 keys.
template <size_t registers>
AVX512VNNI inline void inhibit_channels(const uint8_t* z, const uint8_t* magnitude,
                                        const int8_t* sign, const int32_t* total, size_t groups,
                                        size_t blocks, size_t width, int32_t* h) {
  __m512i acc[queries][registers] = {};
  for (size_t group = 0; group < groups; ++group, z += 16) {
    __m512i value[registers], signs[registers];
    UNROLL for (size_t r = 0; r < registers; ++r) {
      value[r] = _mm512_loadu_si512(magnitude + (group * width + r * 16) * 4);
      signs[r] = _mm512_loadu_si512(sign + (group * width + r * 16) * 4);
    }
    UNROLL for (size_t i = 0; i < queries; ++i) {
      const __m512i limit = _mm512_set1_epi32(load32(z + i / 4 * blocks * 64 + i % 4 * 4));
      UNROLL for (size_t r = 0; r < registers; ++r) {
        acc[i][r] = _mm512_dpbusd_epi32(acc[i][r], _mm512_min_epu8(value[r], limit), signs[r]);
      }
    }
  }
  UNROLL for (size_t i = 0; i < queries; ++i) {
    UNROLL for (size_t r = 0; r < registers; ++r) {
      const __m512i all = _mm512_loadu_si512(total + r * 16);
      _mm512_storeu_si512(h + i * width + r * 16, _mm512_sub_epi32(all, acc[i][r]));
    }
  }
}

AVX512VNNI void inhibit_vnni(const uint8_t* z, const uint8_t* magnitude, const int8_t* sign,
                             const int32_t* total, size_t groups, size_t blocks, size_t width,
                             int32_t* h) {
  size_t k = 0;
  for (; k + 32 <= width; k += 32) {
    inhibit_channels<2>(z, magnitude + k * 4, sign + k * 4, total + k, groups, blocks, width,
                        h + k);
  }
  if (k < width) {
    inhibit_channels<1>(z, magnitude + k * 4, sign + k * 4, total + k, groups, blocks, width,
                        h + k);
  }
}

// Without VNNI the products of pairs, within +-254, add up in 16 bits for 128 groups at a time.
AVX512BW void inhibit(const uint8_t* z, const uint8_t* magnitude, const int8_t* sign,
                      const int32_t* total, size_t groups, size_t blocks, size_t width,
                      int32_t* h) {
  const __m512i ones = _mm512_set1_epi16(1);
  for (size_t k = 0; k < width; k += 16) {
    __m512i wide[queries];
    for (size_t i = 0; i < queries; ++i) wide[i] = _mm512_loadu_si512(total + k);
    for (size_t first = 0; first < groups; first += 128) {
      __m512i acc[queries] = {};
      const size_t end = first + 128 < groups ? first + 128 : groups;
      for (size_t group = first; group < end; ++group) {
        const __m512i value = _mm512_loadu_si512(magnitude + (group * width + k) * 4);
        const __m512i signs = _mm512_loadu_si512(sign + (group * width + k) * 4);
        UNROLL for (size_t i = 0; i < queries; ++i) {
          const uint8_t* limits = z + i / 4 * blocks * 64 + group * 16 + i % 4 * 4;
          const __m512i least = _mm512_min_epu8(value, _mm512_set1_epi32(load32(limits)));
          acc[i] = _mm512_add_epi16(acc[i], _mm512_maddubs_epi16(least, signs));
        }
      }
      UNROLL for (size_t i = 0; i < queries; ++i) {
        wide[i] = _mm512_sub_epi32(wide[i], _mm512_madd_epi16(acc[i], ones));
      }
    }
    for (size_t i = 0; i < queries; ++i) _mm512_storeu_si512(h + i * width + k, wide[i]);
  }
}

}  // namespace

const InhibiInhibitorKernels inhibitor_avx512bw = {pack_eights, pack_magnitudes_avx2, distances,
                                                   thresholds, inhibit};
const InhibiInhibitorKernels inhibitor_avx512vnni = {pack_eights, pack_magnitudes_avx2, distances,
                                                     thresholds, inhibit_vnni};

}  // namespace inhibi

#endif
