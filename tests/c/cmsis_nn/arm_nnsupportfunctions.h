/* A stand-in for CMSIS-NN's header: the one function that product_cmsis_nn.h calls, as it is
 * declared there. lhs [lhs_rows][rhs_rows], rhs [rhs_cols][rhs_rows]; dst, every dst_idx_offset-th,
 * grows by their products. */
#ifndef ARM_NNSUPPORTFUNCTIONS_H
#define ARM_NNSUPPORTFUNCTIONS_H

#include <stdint.h>

static int arm_nn_mat_mult_nt_t_s8_s32(const int8_t* lhs, const int8_t* rhs, int32_t* dst,
                                       const int32_t lhs_rows, const int32_t rhs_rows,
                                       const int32_t rhs_cols, const int32_t lhs_offset,
                                       const int32_t dst_idx_offset) {
  for (int32_t row = 0; row < lhs_rows; ++row) {
    for (int32_t column = 0; column < rhs_cols; ++column, dst += dst_idx_offset) {
      for (int32_t k = 0; k < rhs_rows; ++k) {
        *dst += (lhs[row * rhs_rows + k] + lhs_offset) * rhs[column * rhs_rows + k];
      }
    }
  }
  return 0;
}

#endif
