// Dot-product attention with AVX2: pairs of 16-bit values, because bytes would saturate.
#if defined(__x86_64__)
#include <immintrin.h>

#include "dot_product.h"
#include "pack.h"
#include "vectors_avx2.h"

namespace inhibi {
namespace {

// Four queries by 16 keys at a time.
AVX2 void products(const uint8_t* query, const uint8_t* packed, size_t d, size_t blocks,
                   int32_t* s) {
  int16_t wide[queries * INHIBI_MAX_HEAD_WIDTH];
  for (size_t k = 0; k < queries * d; ++k) wide[k] = static_cast<int16_t>(query[k] - 128);
  for (size_t first = 0; first < queries; first += 4) {
    const int16_t* four = wide + first * d;
    const uint8_t* key = packed;
    for (size_t block = 0; block < blocks; ++block) {
      __m256i low[4] = {}, high[4] = {};
      for (size_t k = 0; k < d; k += 2, key += 64) {
        const __m256i low_keys = load(key), high_keys = load(key + 32);
        UNROLL for (size_t i = 0; i < 4; ++i) {
          const __m256i q = _mm256_set1_epi32(load32(four + i * d + k));
          low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(low_keys, q));
          high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(high_keys, q));
        }
      }
      UNROLL for (size_t i = 0; i < 4; ++i) {
        int32_t* row = s + ((first + i) * blocks + block) * block_keys;
        store(row, low[i]);
        store(row + 8, high[i]);
      }
    }
  }
}

// min((gap*m + a) >> shift, 255) of 8 gaps, through 64-bit products of even and odd ones.
struct Index {
  __m256i most, multiplier, offset;
  __m128i shift;

  AVX2 Index(int32_t m, int32_t a, int32_t s)
      : most(_mm256_set1_epi32(largest_gap(m, s))),
        multiplier(_mm256_set1_epi64x(m)),
        offset(_mm256_set1_epi64x(a)),
        shift(_mm_cvtsi32_si128(s)) {}

  AVX2 inline __m256i operator()(__m256i gap) const {
    gap = _mm256_min_epi32(gap, most);
    const __m256i even = scaled(gap), odd = scaled(_mm256_srli_epi64(gap, 32));
    return _mm256_min_epi32(_mm256_or_si256(even, _mm256_slli_epi64(odd, 32)),
                            _mm256_set1_epi32(255));
  }

  AVX2 inline __m256i scaled(__m256i gap) const {
    return _mm256_srl_epi64(_mm256_add_epi64(_mm256_mul_epu32(gap, multiplier), offset), shift);
  }
};

// Exponentials of one query, in place; returns their sum.
AVX2 inline int64_t exponentials(int32_t* row, size_t n, size_t keys, const Index& index,
                                 const int32_t* table) {
  const __m256i most = _mm256_set1_epi32(*std::max_element(row, row + n));
  int64_t sum = 0;
  for (size_t j = 0; j < keys; j += 8) {
    const __m256i at = index(_mm256_sub_epi32(most, load(row + j)));
    store(row + j, _mm256_i32gather_epi32(table, at, 4));
  }
  for (size_t j = 0; j < n; ++j) sum += row[j];
  return sum;
}

AVX2 inline __m256i divided(const int32_t* e, const Reciprocal& by) {
  const __m256d factor = _mm256_set1_pd(by.factor), start = _mm256_set1_pd(by.start);
  __m128i half[2];
  for (size_t i = 0; i < 2; ++i) {
    const __m128i from = _mm_loadu_si128(reinterpret_cast<const __m128i*>(e + 4 * i));
    half[i] = _mm256_cvttpd_epi32(_mm256_fmadd_pd(_mm256_cvtepi32_pd(from), factor, start));
  }
  return _mm256_inserti128_si256(_mm256_castsi128_si256(half[0]), half[1], 1);
}

AVX2 void weights(int32_t* s, size_t n, size_t blocks, int32_t multiplier, int32_t offset,
                  int32_t shift, const uint16_t* table, uint8_t* p) {
  const size_t keys = blocks * block_keys;
  int32_t wide[256];
  for (size_t i = 0; i < 256; ++i) wide[i] = table[i];
  const Index index(multiplier, offset, shift);
  for (size_t first = 0; first < queries; first += 4, s += 4 * keys) {
    const Reciprocal by[4] = {Reciprocal(exponentials(s, n, keys, index, wide)),
                              Reciprocal(exponentials(s + keys, n, keys, index, wide)),
                              Reciprocal(exponentials(s + 2 * keys, n, keys, index, wide)),
                              Reciprocal(exponentials(s + 3 * keys, n, keys, index, wide))};
    for (size_t j = 0; j < keys; j += 8, p += 32) {
      __m256i weight[4];
      UNROLL for (size_t i = 0; i < 4; ++i) weight[i] = divided(s + i * keys + j, by[i]);
      store(p, _mm256_packus_epi16(_mm256_packs_epi32(weight[0], weight[1]),
                                   _mm256_packs_epi32(weight[2], weight[3])));
    }
  }
}

// Two queries by 16 channels: registers of 4 channels of 4 keys in 16 bits.
AVX2 void weigh(const uint8_t* p, const uint8_t* values, size_t groups, size_t blocks, size_t width,
                int32_t* h) {
  for (size_t i = 0; i < queries; i += 2) {
    const uint8_t* both = p + i / 4 * blocks * 64 + i % 4 * 4;
    for (size_t k = 0; k < width; k += 16) {
      __m256i first[4] = {}, second[4] = {};
      for (size_t group = 0; group < groups; ++group) {
        const uint8_t* value = values + (group * width + k) * 8;
        const __m256i one = _mm256_cvtepu8_epi16(_mm_set1_epi32(load32(both + group * 16)));
        const __m256i two = _mm256_cvtepu8_epi16(_mm_set1_epi32(load32(both + group * 16 + 4)));
        UNROLL for (size_t r = 0; r < 4; ++r) {
          const __m256i four = load(value + 32 * r);
          first[r] = _mm256_add_epi32(first[r], _mm256_madd_epi16(four, one));
          second[r] = _mm256_add_epi32(second[r], _mm256_madd_epi16(four, two));
        }
      }
      // hadd leaves channels 0 1 4 5 2 3 6 7.
      for (size_t r = 0; r < 4; r += 2) {
        const __m256i a = _mm256_hadd_epi32(first[r], first[r + 1]);
        const __m256i b = _mm256_hadd_epi32(second[r], second[r + 1]);
        store(h + i * width + k + 4 * r, _mm256_permute4x64_epi64(a, 0xd8));
        store(h + (i + 1) * width + k + 4 * r, _mm256_permute4x64_epi64(b, 0xd8));
      }
    }
  }
}

}  // namespace

const InhibiDotProductKernels dot_product_avx2 = {pack_words, products, weights,
                                                  pack_value_words_avx2, weigh};

}  // namespace inhibi

#endif
