// Packing of values with AVX2: 16 channels of 4 keys at a time.
#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "pack.h"

#define AVX2 __attribute__((target("avx2")))

namespace inhibi {
namespace {

// One key's bytes from channel k on, zero points beyond n and d, in `row` [4].
AVX2 inline void load_rows(const uint8_t* values, size_t stride, size_t count, size_t channels,
                           __m128i* row) {
  for (size_t r = 0; r < 4; ++r) {
    const __m128i* from = reinterpret_cast<const __m128i*>(values + r * stride);
    row[r] = _mm_set1_epi8(-128);
    if (r >= count) continue;
    row[r] =
        channels >= 16 ? _mm_loadu_si128(from) : _mm_unpacklo_epi64(_mm_loadl_epi64(from), row[r]);
  }
}

// out[4*k + r] = row r's byte k.
AVX2 inline void interleave(const __m128i* row, void* out) {
  const __m128i low[2] = {_mm_unpacklo_epi8(row[0], row[1]), _mm_unpacklo_epi8(row[2], row[3])};
  const __m128i high[2] = {_mm_unpackhi_epi8(row[0], row[1]), _mm_unpackhi_epi8(row[2], row[3])};
  __m128i* to = static_cast<__m128i*>(out);
  _mm_storeu_si128(to, _mm_unpacklo_epi16(low[0], low[1]));
  _mm_storeu_si128(to + 1, _mm_unpackhi_epi16(low[0], low[1]));
  _mm_storeu_si128(to + 2, _mm_unpacklo_epi16(high[0], high[1]));
  _mm_storeu_si128(to + 3, _mm_unpackhi_epi16(high[0], high[1]));
}

// total [16] += sum, the sums of 4 bytes, less their zero points.
AVX2 inline void add(__m256i sum, int32_t* total) {
  sum = _mm256_sub_epi16(sum, _mm256_set1_epi16(4 * 128));
  __m256i* to = reinterpret_cast<__m256i*>(total);
  const __m256i low = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(sum));
  const __m256i high = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(sum, 1));
  _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), low));
  _mm256_storeu_si256(to + 1, _mm256_add_epi32(_mm256_loadu_si256(to + 1), high));
}

}  // namespace

AVX2 void pack_magnitudes_avx2(const uint8_t* values, size_t stride, size_t n, size_t d,
                               int32_t is_signed, uint8_t* magnitude, int8_t* sign,
                               int32_t* total) {
  const __m128i zero = _mm_set1_epi8(-128), one = _mm_set1_epi8(1);
  const __m128i least = is_signed ? _mm_setzero_si128() : zero;
  memset(total, 0, padded(d) * sizeof(int32_t));
  for (size_t j = 0; j < n; j += 4) {
    for (size_t k = 0; k < d; k += 16, magnitude += 64, sign += 64) {
      __m128i row[4], signs[4];
      load_rows(values + j * stride + k, stride, n - j, d - k, row);
      __m256i sum = _mm256_setzero_si256();
      for (size_t r = 0; r < 4; ++r) {
        row[r] = _mm_max_epu8(row[r], least);
        sum = _mm256_add_epi16(sum, _mm256_cvtepu8_epi16(row[r]));
        row[r] = _mm_xor_si128(row[r], zero);  // the value as int8
        signs[r] = _mm_or_si128(_mm_cmpgt_epi8(_mm_setzero_si128(), row[r]), one);
        row[r] = _mm_abs_epi8(row[r]);
      }
      add(sum, total + k);
      interleave(row, magnitude);
      interleave(signs, sign);
    }
  }
}

AVX2 void pack_values_avx2(const uint8_t* values, size_t stride, size_t n, size_t d,
                           uint8_t* packed) {
  for (size_t j = 0; j < n; j += 4) {
    for (size_t k = 0; k < d; k += 16, packed += 64) {
      __m128i row[4];
      load_rows(values + j * stride + k, stride, n - j, d - k, row);
      for (__m128i& value : row) value = _mm_xor_si128(value, _mm_set1_epi8(-128));
      interleave(row, packed);
    }
  }
}

AVX2 void pack_value_words_avx2(const uint8_t* values, size_t stride, size_t n, size_t d,
                                uint8_t* packed) {
  for (size_t j = 0; j < n; j += 4) {
    for (size_t k = 0; k < d; k += 16) {
      __m128i row[4], bytes[4];
      load_rows(values + j * stride + k, stride, n - j, d - k, row);
      interleave(row, bytes);
      for (size_t r = 0; r < 4; ++r, packed += 32) {
        const __m256i words =
            _mm256_sub_epi16(_mm256_cvtepu8_epi16(bytes[r]), _mm256_set1_epi16(128));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(packed), words);
      }
    }
  }
}

}  // namespace inhibi

#endif
