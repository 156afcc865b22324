// Dot-product attention with AVX-512BW, and with VNNI, which multiplies and adds four bytes at
// once.
#if defined(__x86_64__)

#include <immintrin.h>

#include "dot_product.h"
#include "pack.h"
#include "vectors_x86.h"

#define AVX512BW __attribute__((target("avx512f,avx512bw,avx512vl")))
#define AVX512VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

namespace inhibi {
namespace {

// q*k = (q + 128)*k - 128*k: queries stay bytes with their zero point, keys become int8, and a
// block's -128 * sum_k k_j stands after its chunks.
AVX512VNNI void pack_keys_vnni(const uint8_t* keys, size_t stride, size_t n, size_t d,
                               uint8_t* packed) {
  pack_fours(keys, stride, n, d, 128, packed);
  const __m512i zero_point = _mm512_set1_epi8(-128);
  for (size_t block = 0; block * block_keys < n; ++block) {
    uint8_t* chunk = packed + block * packed_bytes(d);
    __m512i sum = _mm512_setzero_si512();
    for (size_t k = 0; k < d; k += 4, chunk += 64) {
      sum = _mm512_dpbusd_epi32(sum, zero_point, _mm512_loadu_si512(chunk));
    }
    _mm512_storeu_si512(chunk, _mm512_sub_epi32(_mm512_setzero_si512(), sum));
  }
}

// Two blocks at a time where there are two: a query's broadcast then serves two registers.
template <size_t together>
AVX512VNNI inline void products_of(const uint8_t* query, const uint8_t* packed, size_t d,
                                   size_t keys, int32_t* s) {
  __m512i acc[queries][together];
  UNROLL for (size_t i = 0; i < queries; ++i) {
    UNROLL for (size_t b = 0; b < together; ++b) {
      acc[i][b] = _mm512_loadu_si512(packed + b * packed_bytes(d) + d * block_keys);
    }
  }
  for (size_t k = 0; k < d; k += 4) {
    __m512i key[together];
    UNROLL for (size_t b = 0; b < together; ++b) {
      key[b] = _mm512_loadu_si512(packed + b * packed_bytes(d) + k * block_keys);
    }
    UNROLL for (size_t i = 0; i < queries; ++i) {
      const __m512i q = _mm512_set1_epi32(load32(query + i * d + k));
      UNROLL for (size_t b = 0; b < together; ++b) {
        acc[i][b] = _mm512_dpbusd_epi32(acc[i][b], q, key[b]);
      }
    }
  }
  UNROLL for (size_t i = 0; i < queries; ++i) {
    UNROLL for (size_t b = 0; b < together; ++b) {
      _mm512_storeu_si512(s + i * keys + b * block_keys, acc[i][b]);
    }
  }
}

AVX512VNNI void products_vnni(const uint8_t* query, const uint8_t* packed, size_t d, size_t blocks,
                              int32_t* s) {
  size_t block = 0;
  for (; block + 2 <= blocks; block += 2) {
    products_of<2>(query, packed + block * packed_bytes(d), d, blocks * block_keys,
                   s + block * block_keys);
  }
  if (block < blocks) {
    products_of<1>(query, packed + block * packed_bytes(d), d, blocks * block_keys,
                   s + block * block_keys);
  }
}

// Without VNNI, pairs of 16-bit values: VPMADDWD.
AVX512BW void products(const uint8_t* query, const uint8_t* packed, size_t d, size_t blocks,
                       int32_t* s) {
  int16_t wide[queries * INHIBI_MAX_HEAD_WIDTH];
  for (size_t k = 0; k < queries * d; ++k) wide[k] = static_cast<int16_t>(query[k] - 128);
  for (size_t block = 0; block < blocks; ++block) {
    __m512i acc[queries] = {};
    for (size_t k = 0; k < d; k += 2, packed += 64) {
      const __m512i key = _mm512_loadu_si512(packed);
      UNROLL for (size_t i = 0; i < queries; ++i) {
        const __m512i q = _mm512_set1_epi32(load32(wide + i * d + k));
        acc[i] = _mm512_add_epi32(acc[i], _mm512_madd_epi16(key, q));
      }
    }
    UNROLL for (size_t i = 0; i < queries; ++i) {
      _mm512_storeu_si512(s + (i * blocks + block) * block_keys, acc[i]);
    }
  }
}

// A table of 256 words in 8 registers.
struct Table {
  __m512i part[8];

  AVX512BW explicit Table(const uint16_t* table) {
    for (size_t i = 0; i < 8; ++i) part[i] = _mm512_loadu_si512(table + 32 * i);
  }

  AVX512BW inline __m512i operator[](__m512i index) const {
    const __mmask32 bit6 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(64));
    const __mmask32 bit7 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(128));
    const __m512i low =
        _mm512_mask_blend_epi16(bit6, _mm512_permutex2var_epi16(part[0], index, part[1]),
                                _mm512_permutex2var_epi16(part[2], index, part[3]));
    const __m512i high =
        _mm512_mask_blend_epi16(bit6, _mm512_permutex2var_epi16(part[4], index, part[5]),
                                _mm512_permutex2var_epi16(part[6], index, part[7]));
    return _mm512_mask_blend_epi16(bit7, low, high);
  }
};

// min((gap*m + a) >> shift, 255) of 16 gaps, through 64-bit products of even and odd ones.
struct Index {
  __m512i most, multiplier, offset;
  __m128i shift;

  AVX512BW Index(int32_t m, int32_t a, int32_t s)
      : most(_mm512_set1_epi32(largest_gap(m, s))),
        multiplier(_mm512_set1_epi64(m)),
        offset(_mm512_set1_epi64(a)),
        shift(_mm_cvtsi32_si128(s)) {}

  AVX512BW inline __m512i operator()(__m512i gap) const {
    gap = _mm512_min_epi32(gap, most);
    const __m512i even = scaled(gap), odd = scaled(_mm512_srli_epi64(gap, 32));
    return _mm512_min_epi32(_mm512_or_si512(even, _mm512_slli_epi64(odd, 32)),
                            _mm512_set1_epi32(255));
  }

  AVX512BW inline __m512i scaled(__m512i gap) const {
    return _mm512_srl_epi64(_mm512_add_epi64(_mm512_mul_epu32(gap, multiplier), offset), shift);
  }
};

AVX512BW inline __m512i largest(const int32_t* row, size_t keys) {
  __m512i most = _mm512_loadu_si512(row);
  for (size_t j = 16; j < keys; j += 16) {
    most = _mm512_max_epi32(most, _mm512_loadu_si512(row + j));
  }
  return _mm512_set1_epi32(_mm512_reduce_max_epi32(most));
}

// Exponentials of two queries, in place, and their sums: two indices share a register.
AVX512BW inline void exponentials(int32_t* row, size_t n, size_t keys, const Index& index,
                                  const Table& table, int64_t* sums) {
  const __m512i most[2] = {largest(row, keys), largest(row + keys, keys)};
  const __m512i low_word = _mm512_set1_epi32(0xffff);
  __m512i sum[2] = {};
  for (size_t j = 0; j < keys; j += 16) {
    const __m512i first = index(_mm512_sub_epi32(most[0], _mm512_loadu_si512(row + j)));
    const __m512i second = index(_mm512_sub_epi32(most[1], _mm512_loadu_si512(row + keys + j)));
    const __m512i both = table[_mm512_or_si512(first, _mm512_slli_epi32(second, 16))];
    const __m512i e[2] = {_mm512_and_si512(both, low_word), _mm512_srli_epi32(both, 16)};
    for (size_t i = 0; i < 2; ++i) {
      _mm512_storeu_si512(row + i * keys + j, e[i]);
      sum[i] = _mm512_add_epi32(sum[i], e[i]);
    }
  }
  // The places beyond n repeat key 0. 65535 times 2^16 tokens fit 32 bits without a sign.
  for (size_t i = 0; i < 2; ++i) {
    const uint32_t all = static_cast<uint32_t>(_mm512_reduce_add_epi32(sum[i]));
    sums[i] = int64_t{all} - static_cast<int64_t>(keys - n) * row[i * keys];
  }
}

AVX512BW inline __m512i divided(const int32_t* e, const Reciprocal& by) {
  const __m512d factor = _mm512_set1_pd(by.factor), start = _mm512_set1_pd(by.start);
  __m256i half[2];
  for (size_t i = 0; i < 2; ++i) {
    const __m256i from = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(e + 8 * i));
    half[i] = _mm512_cvttpd_epi32(_mm512_fmadd_pd(_mm512_cvtepi32_pd(from), factor, start));
  }
  return _mm512_inserti64x4(_mm512_castsi256_si512(half[0]), half[1], 1);
}

AVX512BW void weights(int32_t* s, size_t n, size_t blocks, int32_t multiplier, int32_t offset,
                      int32_t shift, const uint16_t* exponential, uint8_t* p) {
  const size_t keys = blocks * block_keys;
  const Table table(exponential);
  const Index index(multiplier, offset, shift);
  for (size_t first = 0; first < queries; first += 4, s += 4 * keys) {
    int64_t sums[4];
    exponentials(s, n, keys, index, table, sums);
    exponentials(s + 2 * keys, n, keys, index, table, sums + 2);
    const Reciprocal by[4] = {Reciprocal(sums[0]), Reciprocal(sums[1]), Reciprocal(sums[2]),
                              Reciprocal(sums[3])};
    for (size_t j = 0; j < keys; j += 16, p += 64) {
      __m512i weight[4];
      UNROLL for (size_t i = 0; i < 4; ++i) weight[i] = divided(s + i * keys + j, by[i]);
      _mm512_storeu_si512(p, _mm512_packus_epi16(_mm512_packs_epi32(weight[0], weight[1]),
                                                 _mm512_packs_epi32(weight[2], weight[3])));
    }
  }
}

// Two registers are 32 channels of 4 keys.
template <size_t registers>
AVX512VNNI inline void weigh_channels(const uint8_t* p, const uint8_t* values, size_t groups,
                                      size_t blocks, size_t width, int32_t* h) {
  __m512i acc[queries][registers] = {};
  for (size_t group = 0; group < groups; ++group, p += 16) {
    __m512i value[registers];
    UNROLL for (size_t r = 0; r < registers; ++r) {
      value[r] = _mm512_loadu_si512(values + (group * width + r * 16) * 4);
    }
    UNROLL for (size_t i = 0; i < queries; ++i) {
      const __m512i weight = _mm512_set1_epi32(load32(p + i / 4 * blocks * 64 + i % 4 * 4));
      UNROLL for (size_t r = 0; r < registers; ++r) {
        acc[i][r] = _mm512_dpbusd_epi32(acc[i][r], weight, value[r]);
      }
    }
  }
  UNROLL for (size_t i = 0; i < queries; ++i) {
    UNROLL for (size_t r = 0; r < registers; ++r) {
      _mm512_storeu_si512(h + i * width + r * 16, acc[i][r]);
    }
  }
}

AVX512VNNI void weigh_vnni(const uint8_t* p, const uint8_t* values, size_t groups, size_t blocks,
                           size_t width, int32_t* h) {
  size_t k = 0;
  for (; k + 32 <= width; k += 32) {
    weigh_channels<2>(p, values + k * 4, groups, blocks, width, h + k);
  }
  if (k < width) weigh_channels<1>(p, values + k * 4, groups, blocks, width, h + k);
}

// Four queries by 16 channels: registers of 8 channels of 4 keys in 16 bits; VPMADDWD leaves a
// channel's sum in two halves.
AVX512BW void weigh(const uint8_t* p, const uint8_t* values, size_t groups, size_t blocks,
                    size_t width, int32_t* h) {
  for (size_t first = 0; first < queries; first += 4, p += blocks * 64, h += 4 * width) {
    for (size_t k = 0; k < width; k += 16) {
      __m512i acc[4][2] = {};
      for (size_t group = 0; group < groups; ++group) {
        const uint8_t* value = values + (group * width + k) * 8;
        const __m512i low = _mm512_loadu_si512(value), high = _mm512_loadu_si512(value + 64);
        UNROLL for (size_t i = 0; i < 4; ++i) {
          const __m512i weight =
              _mm512_cvtepu8_epi16(_mm256_set1_epi32(load32(p + group * 16 + i * 4)));
          acc[i][0] = _mm512_add_epi32(acc[i][0], _mm512_madd_epi16(low, weight));
          acc[i][1] = _mm512_add_epi32(acc[i][1], _mm512_madd_epi16(high, weight));
        }
      }
      for (size_t i = 0; i < 4; ++i) {
        for (size_t r = 0; r < 2; ++r) {
          const __m512i sum = _mm512_add_epi32(acc[i][r], _mm512_srli_epi64(acc[i][r], 32));
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(h + i * width + k + 8 * r),
                              _mm512_cvtepi64_epi32(sum));
        }
      }
    }
  }
}

}  // namespace

const InhibiDotProductKernels dot_product_avx512bw = {pack_words, products, weights,
                                                      pack_value_words_avx2, weigh};
const InhibiDotProductKernels dot_product_avx512vnni = {pack_keys_vnni, products_vnni, weights,
                                                        pack_values_avx2, weigh_vnni};

}  // namespace inhibi

#endif
