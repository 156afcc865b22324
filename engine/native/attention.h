// How both attentions are cut into blocks, and what an instruction set has to offer for them.
//
// A task is one head of one sentence, for up to 1024 of its queries. It packs the head's keys and
// values once, then takes 8 queries at a time through three kernels: all their scores, the bytes
// that scores become (z, or weights P), and the sums over the values.
//
// n keys fill `blocks` = ceil(n/16) blocks; the places beyond n repeat key 0 and have value 0.
// Layouts (`width` is d rounded up to 16):
//   queries  uint8 [8][d]                      raw bytes; the rows beyond the last query repeat it
//   packed keys                                as the kernels' own pack_keys lays them
//   s        int32 [8][16*blocks]              scores, keys in order
//   bytes    uint8 [2][blocks][4][4][4]        queries 4a..4a+3, then block, then four keys each:
//                                              [query/4][block][key/4][query%4][key%4]
//   values   [4*blocks][width][4]              keys 4g..4g+3 of a channel side by side
//   h        int32 [8][width]
#pragma once

#include "kernels.h"

namespace inhibi {

constexpr size_t queries = INHIBI_QUERIES;
constexpr size_t block_keys = INHIBI_KEYS;

// Bytes of packed keys: 16 rows of d, and 16 int32 of the kernels' choice, for each block.
constexpr size_t packed_bytes(size_t d) { return block_keys * (d + sizeof(int32_t)); }

// Where key j's byte of query i stands.
inline size_t place(size_t i, size_t j, size_t blocks) {
  return ((i / 4 * blocks + j / 16) * 4 + j % 16 / 4) * 16 + i % 4 * 4 + j % 4;
}

}  // namespace inhibi

struct InhibiInhibitorKernels {
  // keys uint8, n rows `stride` apart, to packed uint8 [blocks][packed_bytes(d)].
  void (*pack_keys)(const uint8_t* keys, size_t stride, size_t n, size_t d, uint8_t* packed);
  // Values as pack.h's pack_magnitudes.
  void (*pack_values)(const uint8_t* values, size_t stride, size_t n, size_t d, int32_t is_signed,
                      uint8_t* magnitude, int8_t* sign, int32_t* total);
  // s_ij = sum_k |q_ik - k_jk| and the sums of its rows, places beyond n included.
  void (*distances)(const uint8_t* queries, const uint8_t* packed, size_t d, size_t blocks,
                    int32_t* s, int64_t* sums);
  // z_ij = clamp((s_ij*multiplier + offset_i) >> shift, 0, 127), whose 64-bit value fits 32 bits.
  void (*thresholds)(const int32_t* s, size_t blocks, int32_t multiplier, const int64_t* offset,
                     int32_t shift, uint8_t* z);
  // h_ik = total_k - sum_j sign_jk * min(magnitude_jk, z_ij), over the first `groups` of 4 keys.
  void (*inhibit)(const uint8_t* z, const uint8_t* magnitude, const int8_t* sign,
                  const int32_t* total, size_t groups, size_t blocks, size_t width, int32_t* h);
};

struct InhibiDotProductKernels {
  // Keys as above, in at most twice as many bytes.
  void (*pack_keys)(const uint8_t* keys, size_t stride, size_t n, size_t d, uint8_t* packed);
  // s_ij = sum_k (q_ik - 128) * (k_jk - 128).
  void (*products)(const uint8_t* queries, const uint8_t* packed, size_t d, size_t blocks,
                   int32_t* s);
  // P of SPEC's DotProductAttention for n keys, anything in the places beyond; s is overwritten.
  void (*weights)(int32_t* s, size_t n, size_t blocks, int32_t multiplier, int32_t offset,
                  int32_t shift, const uint16_t* table, uint8_t* p);
  // Values as weigh wants them, at most two bytes for each place; zero beyond n.
  void (*pack_values)(const uint8_t* values, size_t stride, size_t n, size_t d, uint8_t* packed);
  // h_ik = sum_j P_ij * (v_jk - 128) over the first `groups` of 4 keys.
  void (*weigh)(const uint8_t* p, const uint8_t* values, size_t groups, size_t blocks, size_t width,
                int32_t* h);
};
