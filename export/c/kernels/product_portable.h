/* The definition. */
#ifndef PRODUCT_PORTABLE_H
#define PRODUCT_PORTABLE_H

#include "kernels.h"

static void multiply(const uint8_t* x, size_t rows, const Product* p, int32_t* acc) {
  for (size_t row = 0; row < rows; ++row) {
    for (size_t m = 0; m < p->outputs; ++m) {
      int32_t sum = p->bias[m];
      for (size_t k = 0; k < p->inputs; ++k) {
        sum += (x[row * p->inputs + k] - ZERO_POINT) * p->weight[m * p->inputs + k];
      }
      acc[row * p->outputs + m] = sum;
    }
  }
}

#endif
