// Dot-product attention's kernels as docs/SPEC.md writes them.
#include "dot_product.h"
#include "pack.h"

namespace inhibi {
namespace {

void products(const uint8_t* query, const uint8_t* packed, size_t d, size_t blocks, int32_t* s) {
  const size_t keys = blocks * block_keys;
  for (size_t i = 0; i < queries; ++i) {
    for (size_t j = 0; j < keys; ++j) {
      const uint8_t* key = packed + j / block_keys * packed_bytes(d) + j % block_keys * d;
      int32_t product = 0;
      for (size_t k = 0; k < d; ++k) product += (query[i * d + k] - 128) * (key[k] - 128);
      s[i * keys + j] = product;
    }
  }
}

void weights(int32_t* s, size_t n, size_t blocks, int32_t multiplier, int32_t offset, int32_t shift,
             const uint16_t* table, uint8_t* p) {
  for (size_t i = 0; i < queries; ++i) {
    int32_t* row = s + i * blocks * block_keys;
    const int32_t most = *std::max_element(row, row + n);
    int64_t sum = 0;
    for (size_t j = 0; j < n; ++j) {
      const int64_t index = (int64_t{most - row[j]} * multiplier + offset) >> shift;
      row[j] = table[std::min<int64_t>(index, 255)];
      sum += row[j];
    }
    for (size_t j = 0; j < n; ++j) {
      p[place(i, j, blocks)] = static_cast<uint8_t>((int64_t{255} * row[j] + sum / 2) / sum);
    }
  }
}

void weigh(const uint8_t* p, const uint8_t* values, size_t groups, size_t blocks, size_t width,
           int32_t* h) {
  for (size_t i = 0; i < queries; ++i) {
    for (size_t k = 0; k < width; ++k) {
      int32_t sum = 0;
      for (size_t j = 0; j < groups * 4; ++j) {
        const uint8_t value = values[(j / 4 * width + k) * 4 + j % 4];
        sum += p[place(i, j, blocks)] * static_cast<int8_t>(value);
      }
      h[i * width + k] = sum;
    }
  }
}

}  // namespace

const InhibiDotProductKernels dot_product_scalar = {pack_rows, products, weights, pack_values,
                                                    weigh};

}  // namespace inhibi
