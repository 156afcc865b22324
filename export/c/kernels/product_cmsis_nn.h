/* Arm's library does the sums, where -DUSE_CMSIS_NN is given and its headers are at hand. */
#ifndef PRODUCT_CMSIS_NN_H
#define PRODUCT_CMSIS_NN_H

#include <arm_nnsupportfunctions.h>

#include "kernels.h"

static void multiply_vectors(const uint8_t* x, size_t rows, const Product* p, int32_t* acc,
                             int8_t* values) {
  for (size_t k = 0; k < rows * p->inputs; ++k) values[k] = (int8_t)(x[k] - ZERO_POINT);
  for (size_t k = 0; k < rows * p->outputs; ++k) acc[k] = 0; /* it adds to what is there */
  arm_nn_mat_mult_nt_t_s8_s32(values, p->weight, acc, (int32_t)rows, (int32_t)p->inputs,
                              (int32_t)p->outputs, 0, 1);
  for (size_t m = 0; m < p->outputs; ++m) {
    for (size_t row = 0; row < rows; ++row) acc[row * p->outputs + m] += p->bias[m];
  }
}

#endif
