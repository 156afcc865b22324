// The row kernels for aarch64, all of which have NEON.
#include "row_loops.h"

#if defined(__aarch64__)

#include <arm_neon.h>

namespace inhibi {
namespace {

// table[index] of 16 bytes at once; an index beyond a quarter of the table leaves 0 there.
void look_up(const InhibiRequantize& p) {
  uint8x16x4_t quarters[4];
  for (int i = 0; i < 4; ++i) quarters[i] = vld1q_u8_x4(p.table + 64 * i);
  for (size_t i = 0; i < p.rows; ++i) {
    uint8_t* row = p.out + i * p.stride;
    size_t k = 0;
    for (; k + 16 <= p.columns; k += 16) {
      const uint8x16_t index = vld1q_u8(row + k);
      uint8x16_t value = vqtbl4q_u8(quarters[0], index);
      for (int q = 1; q < 4; ++q)
        value = vqtbx4q_u8(value, quarters[q], vsubq_u8(index, vdupq_n_u8(64 * q)));
      vst1q_u8(row + k, value);
    }
    for (; k < p.columns; ++k) row[k] = p.table[row[k]];
  }
}

}  // namespace

void requantize_neon(const InhibiRequantize* p) {
  requantize_rows(*p);
  if (p->table) look_up(*p);
}

void add_layer_norm_neon(const InhibiAddLayerNorm* p) { add_layer_norm_rows(*p); }

void embed_layer_norm_neon(const InhibiEmbedLayerNorm* p) { embed_layer_norm_rows(*p); }

}  // namespace inhibi

#endif
