// Layer norms for x86-64 with AVX-512, in integers: four rows at a time share the parameters of 16
// columns in registers.
//
// Of a norm's steps only the reciprocal R may need more than 31 bits, where a row hardly varies;
// such rows take the scalar way. Otherwise |u| < 2^27 and |n| < 2^27, and the products are 64 bits
// wide from 32: VPMULDQ. row_loops.h proves the bounds and C*sum x^2 - (sum x)^2.
#include "rows.h"

#if defined(__x86_64__)

#include <algorithm>
#include <cmath>

#include "columns_avx512.h"
#include "vectors_x86.h"

namespace inhibi {
namespace {

// x int32 of some rows.
typedef int32_t Rows[][INHIBI_MAX_CHANNELS];

// Sums of x and of x^2 of `count` rows.
template <size_t count>
struct Sums {
  __m512i sum[count] = {}, squares[count] = {};

  INHIBI_TARGET inline void add(size_t r, __m512i x) {
    sum[r] = _mm512_add_epi32(sum[r], x);
    const __m512i both = _mm512_add_epi64(_mm512_mul_epi32(x, x), _mm512_mul_epi32(odd(x), odd(x)));
    squares[r] = _mm512_add_epi64(squares[r], both);
  }
};

int64_t reciprocal_of(int64_t sum, int64_t squares, int64_t channels) {
  const int64_t variance = channels * squares - sum * sum + 1;
  const int64_t root = static_cast<int64_t>(std::sqrt(static_cast<double>(variance)));
  return ((int64_t{1} << 44) + root / 2) / root;
}

// n of 8 columns.
INHIBI_TARGET inline __m512i normalized(__m512i u, __m512i reciprocal) {
  const __m512i product = _mm512_mul_epi32(u, reciprocal);
  return _mm512_srai_epi64(_mm512_add_epi64(product, _mm512_set1_epi64(1 << 23)), 24);
}

template <size_t count>
INHIBI_TARGET inline void normalize(const Rows rows, const Sums<count>& sums, const InhibiNorm& p,
                                    size_t channels, uint8_t* out) {
  const __m512i times = _mm512_set1_epi32(static_cast<int32_t>(channels));
  const __m128i lo = _mm_set1_epi8(static_cast<char>(p.lo));
  const __m128i hi = _mm_set1_epi8(static_cast<char>(p.hi));
  __m512i total[count], reciprocal[count];
  bool narrow[count];
  for (size_t r = 0; r < count; ++r) {
    const int32_t sum = _mm512_reduce_add_epi32(sums.sum[r]);
    const int64_t all = reciprocal_of(sum, _mm512_reduce_add_epi64(sums.squares[r]),
                                      static_cast<int64_t>(channels));
    narrow[r] = all <= INT32_MAX;
    total[r] = _mm512_set1_epi32(sum);
    reciprocal[r] = _mm512_set1_epi64(all);
  }
  for (size_t k = 0; k < channels; k += lanes) {
    const Columns columns = Columns::norm(p, k, channels - k);
    UNROLL for (size_t r = 0; r < count; ++r) {
      const __m512i x = _mm512_load_si512(rows[r] + k);
      const __m512i u = _mm512_sub_epi32(_mm512_mullo_epi32(x, times), total[r]);
      __m128i y = columns.bytes(normalized(u, reciprocal[r]), normalized(odd(u), reciprocal[r]));
      y = _mm_xor_si128(_mm_min_epi8(_mm_max_epi8(y, lo), hi), _mm_set1_epi8(-128));
      store(out + r * channels + k, y, channels - k);
    }
  }
  for (size_t r = 0; r < count; ++r) {
    if (!narrow[r]) norm_scalar(rows[r], p, channels, out + r * channels);
  }
}

template <size_t count>
INHIBI_TARGET inline void add_layer_norm(const InhibiAddLayerNorm& p, size_t row, Rows rows) {
  const size_t channels = p.channels;
  Sums<count> sums;
  for (size_t k = 0; k < channels; k += lanes) {
    const size_t n = channels - k;
    const Columns columns = Columns::req(p.bias + k, p.multiplier + k, p.shift + k, n);
    const __m512i times = load(p.residual_multiplier + k, n);  // 0 in the padding, which keeps 0
    UNROLL for (size_t r = 0; r < count; ++r) {
      const size_t at = (row + r) * channels + k;
      // Saturated to 16 bits, of which the lowest value is one too low.
      const __m256i branch =
          _mm256_max_epi16(columns.words(load(p.acc + at, n)), _mm256_set1_epi16(-32767));
      const __m128i residual = _mm_xor_si128(load(p.residual + at, n), _mm_set1_epi8(-128));
      // Products of the lower 16 bits; the upper ones of a multiplier are 0.
      const __m512i added = _mm512_madd_epi16(_mm512_cvtepi8_epi32(residual), times);
      const __m512i x = _mm512_add_epi32(_mm512_cvtepi16_epi32(branch), added);
      _mm512_store_si512(rows[r] + k, x);
      sums.add(r, x);
    }
  }
  normalize<count>(rows, sums, p.norm, channels, p.out + row * channels);
}

template <size_t count>
INHIBI_TARGET inline void embed_layer_norm(const InhibiEmbedLayerNorm& p, size_t row, Rows rows) {
  const size_t channels = p.channels;
  Sums<count> sums;
  for (size_t k = 0; k < channels; k += lanes) {
    const size_t n = channels - k;
    __m512i times[3];
    for (size_t t = 0; t < 3; ++t) times[t] = load(p.table_multiplier + t * channels + k, n);
    for (size_t r = 0; r < count; ++r) {
      const size_t i = row + r;
      const int8_t* table[3] = {p.word + static_cast<size_t>(p.input_ids[i]) * channels,
                                p.position + static_cast<size_t>(p.position_ids[i]) * channels,
                                p.token_type + static_cast<size_t>(p.token_type_ids[i]) * channels};
      __m512i x = _mm512_setzero_si512();
      for (size_t t = 0; t < 3; ++t) {
        const __m128i bytes = load(table[t] + k, n);
        x = _mm512_add_epi32(x, _mm512_mullo_epi32(_mm512_cvtepi8_epi32(bytes), times[t]));
      }
      _mm512_store_si512(rows[r] + k, x);
      sums.add(r, x);
    }
  }
  normalize<count>(rows, sums, p.norm, channels, p.out + row * channels);
}

}  // namespace

INHIBI_TARGET void add_layer_norm_avx512(const InhibiAddLayerNorm* p) {
  alignas(64) int32_t rows[4][INHIBI_MAX_CHANNELS];
  size_t row = 0;
  for (; row + 4 <= p->rows; row += 4) add_layer_norm<4>(*p, row, rows);
  for (; row < p->rows; ++row) add_layer_norm<1>(*p, row, rows);
}

INHIBI_TARGET void embed_layer_norm_avx512(const InhibiEmbedLayerNorm* p) {
  alignas(64) int32_t rows[4][INHIBI_MAX_CHANNELS];
  size_t row = 0;
  for (; row + 4 <= p->rows; row += 4) embed_layer_norm<4>(*p, row, rows);
  for (; row < p->rows; ++row) embed_layer_norm<1>(*p, row, rows);
}

}  // namespace inhibi

#endif
