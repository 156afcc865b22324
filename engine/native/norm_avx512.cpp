// Layer norms for x86-64 with AVX-512 F, BW, VL and DQ, in integers: 16 columns at a time, their
// 64-bit products as 8 even and 8 odd ones.
//
// Of a norm's steps only the reciprocal R may need more than 31 bits, where a row hardly varies;
// such rows take the scalar way. Otherwise |u| < 2^27 and |n| < 2^27, and the products are 64 bits
// wide from 32: VPMULDQ. row_loops.h proves the bounds and C*sum x^2 - (sum x)^2.
#include "rows.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cmath>

#define INHIBI_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

namespace inhibi {
namespace {

constexpr size_t most = INHIBI_MAX_CHANNELS;

// int64 [channels], of each 16 the even ones first.
typedef int64_t Halves[most];

INHIBI_TARGET inline __mmask16 lanes(size_t left) {
  return static_cast<__mmask16>(left >= 16 ? 0xffff : (1u << left) - 1);
}

INHIBI_TARGET inline __m512i load(const int32_t* columns, size_t left) {
  return _mm512_maskz_loadu_epi32(lanes(left), columns);
}

INHIBI_TARGET inline __m512i odd(__m512i columns) { return _mm512_srli_epi64(columns, 32); }

INHIBI_TARGET void split(const int32_t* columns, size_t n, int64_t* halves) {
  for (size_t k = 0; k < n; k += 16) {
    const __m512i all = load(columns + k, n - k);
    _mm512_store_si512(halves + k, all);  // VPMULDQ and the shifts' users ignore or mask the rest
    _mm512_store_si512(halves + k + 8, odd(all));
  }
}

// Shifts, and what is added before them: bias + 2^(shift-1).
struct Rounding {
  alignas(64) Halves shift, start;

  INHIBI_TARGET void set(const int32_t* shifts, const int64_t* bias, size_t n) {
    const __m512i one = _mm512_set1_epi64(1), low = _mm512_set1_epi64(0xff);
    const __m512i evens = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odds = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);
    for (size_t k = 0; k < n; k += 16) {
      const __m512i all = _mm512_max_epi32(load(shifts + k, n - k), _mm512_set1_epi32(1));
      const __m512i part[2] = {_mm512_and_si512(all, low), odd(all)};
      __m512i added[2] = {};
      if (bias) {
        const __mmask16 kept = lanes(n - k);
        const __m512i first = _mm512_maskz_loadu_epi64(static_cast<__mmask8>(kept), bias + k);
        const __m512i last =
            _mm512_maskz_loadu_epi64(static_cast<__mmask8>(kept >> 8), bias + k + 8);
        added[0] = _mm512_permutex2var_epi64(first, evens, last);
        added[1] = _mm512_permutex2var_epi64(first, odds, last);
      }
      for (size_t i = 0; i < 2; ++i) {
        const __m512i half = _mm512_sllv_epi64(one, _mm512_sub_epi64(part[i], one));
        _mm512_store_si512(shift + k + 8 * i, part[i]);
        _mm512_store_si512(start + k + 8 * i, _mm512_add_epi64(added[i], half));
      }
    }
  }

  INHIBI_TARGET inline __m512i rounded(__m512i product, size_t k) const {
    return _mm512_srav_epi64(_mm512_add_epi64(product, _mm512_load_si512(start + k)),
                             _mm512_load_si512(shift + k));
  }
};

// A row's x [channels] and its sums.
struct Row {
  alignas(64) int32_t x[most];
  __m512i sum, squares;

  INHIBI_TARGET inline void clear() { sum = squares = _mm512_setzero_si512(); }

  INHIBI_TARGET inline void put(size_t k, __m512i values) {
    _mm512_store_si512(x + k, values);
    sum = _mm512_add_epi32(sum, values);
    const __m512i square = _mm512_mullo_epi32(values, values);  // below 2^32, without a sign
    squares = _mm512_add_epi64(squares, odd(square));
    squares = _mm512_add_epi64(squares, _mm512_and_si512(square, _mm512_set1_epi64(0xffffffff)));
  }
};

// What a norm needs of its parameters.
struct Norm {
  const InhibiNorm& parameters;
  size_t channels;
  alignas(64) Halves weight;
  Rounding rounding;

  INHIBI_TARGET Norm(const InhibiNorm& p, size_t n) : parameters(p), channels(n) {
    split(p.weight, n, weight);
    rounding.set(p.shift, p.bias, n);
  }

  INHIBI_TARGET inline __m128i scaled(__m512i u, __m512i reciprocal, size_t k) const {
    const __m512i product = _mm512_mul_epi32(u, reciprocal);
    const __m512i n = _mm512_srai_epi64(_mm512_add_epi64(product, _mm512_set1_epi64(1 << 23)), 24);
    return _mm512_cvtsepi64_epi8(
        rounding.rounded(_mm512_mul_epi32(n, _mm512_load_si512(weight + k)), k));
  }

  INHIBI_TARGET void apply(const Row& row, uint8_t* out) const {
    const int64_t width = static_cast<int64_t>(channels);
    const int64_t sum = _mm512_reduce_add_epi32(row.sum);
    const int64_t variance = width * _mm512_reduce_add_epi64(row.squares) - sum * sum + 1;
    const int64_t root = static_cast<int64_t>(std::sqrt(static_cast<double>(variance)));
    const int64_t reciprocal = ((int64_t{1} << 44) + root / 2) / root;
    if (reciprocal > INT32_MAX) return norm_scalar(row.x, parameters, channels, out);
    const __m512i r = _mm512_set1_epi64(reciprocal), total = _mm512_set1_epi32(int32_t(sum));
    const __m512i times = _mm512_set1_epi32(int32_t(width));
    const __m128i lo = _mm_set1_epi8(static_cast<char>(parameters.lo));
    const __m128i hi = _mm_set1_epi8(static_cast<char>(parameters.hi));
    for (size_t k = 0; k < channels; k += 16) {
      const __m512i x = _mm512_load_si512(row.x + k);
      const __m512i u = _mm512_sub_epi32(_mm512_mullo_epi32(x, times), total);
      const __m128i y = _mm_unpacklo_epi8(scaled(u, r, k), scaled(odd(u), r, k + 8));
      const __m128i clamped = _mm_min_epi8(_mm_max_epi8(y, lo), hi);
      _mm_mask_storeu_epi8(out + k, lanes(channels - k),
                           _mm_xor_si128(clamped, _mm_set1_epi8(-128)));
    }
  }
};

}  // namespace

INHIBI_TARGET void add_layer_norm_avx512(const InhibiAddLayerNorm* p) {
  const size_t channels = p->channels;
  Norm norm(p->norm, channels);
  Rounding rounding;
  rounding.set(p->shift, nullptr, channels);
  Row row;
  for (size_t i = 0; i < p->rows; ++i) {
    row.clear();
    for (size_t k = 0; k < channels; k += 16) {
      const size_t left = channels - k;
      const __m512i acc =
          _mm512_add_epi32(load(p->acc + i * channels + k, left), load(p->bias + k, left));
      const __m512i m = load(p->multiplier + k, left);
      const __m512i even = rounding.rounded(_mm512_mul_epi32(acc, m), k);
      const __m512i odds = rounding.rounded(_mm512_mul_epi32(odd(acc), odd(m)), k + 8);
      // Saturated to 16 bits, of which the lowest value is one too low.
      __m256i x = _mm256_set_m128i(
          _mm_unpackhi_epi16(_mm512_cvtsepi64_epi16(even), _mm512_cvtsepi64_epi16(odds)),
          _mm_unpacklo_epi16(_mm512_cvtsepi64_epi16(even), _mm512_cvtsepi64_epi16(odds)));
      x = _mm256_max_epi16(x, _mm256_set1_epi16(-32767));
      // The residual's zero point is a constant, which the norm takes away.
      const __m128i residual = _mm_maskz_loadu_epi8(lanes(left), p->residual + i * channels + k);
      row.put(k, _mm512_add_epi32(_mm512_cvtepi16_epi32(x),
                                  _mm512_slli_epi32(_mm512_cvtepu8_epi32(residual), 6)));
    }
    norm.apply(row, p->out + i * channels);
  }
}

INHIBI_TARGET void embed_layer_norm_avx512(const InhibiEmbedLayerNorm* p) {
  const size_t channels = p->channels;
  Norm norm(p->norm, channels);
  Row row;
  for (size_t i = 0; i < p->rows; ++i) {
    const int64_t width = static_cast<int64_t>(channels);
    const int8_t* table[3] = {p->word + p->input_ids[i] * width,
                              p->position + p->position_ids[i] * width,
                              p->token_type + p->token_type_ids[i] * width};
    row.clear();
    for (size_t k = 0; k < channels; k += 16) {
      __m512i x = _mm512_setzero_si512();
      for (size_t t = 0; t < 3; ++t) {
        const __m128i bytes = _mm_maskz_loadu_epi8(lanes(channels - k), table[t] + k);
        const __m512i times = load(p->table_multiplier + t * channels + k, channels - k);
        x = _mm512_add_epi32(x, _mm512_mullo_epi32(_mm512_cvtepi8_epi32(bytes), times));
      }
      row.put(k, x);
    }
    norm.apply(row, p->out + i * channels);
  }
}

}  // namespace inhibi

#endif
