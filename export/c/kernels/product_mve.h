/* Helium: 16 products in an instruction, the ends of rows under a predicate. */
#ifndef PRODUCT_MVE_H
#define PRODUCT_MVE_H

#include <arm_mve.h>

#include "kernels.h"

static void centre(const uint8_t *x, size_t count, int8_t *values) {
  const uint8x16_t flip = vdupq_n_u8(0x80);
  for (size_t k = 0; k < count; k += 16) {
    const mve_pred16_t left = vctp8q((uint32_t)(count - k));
    vst1q_p_s8(values + k, vreinterpretq_s8_u8(veorq_u8(vld1q_z_u8(x + k, left), flip)), left);
  }
}

static void multiply_vectors(const uint8_t *x, size_t rows, const Product *p, int32_t *acc,
                             int8_t *values) {
  const size_t inputs = p->inputs;
  const int8_t *weight = p->weight;
  centre(x, rows * inputs, values);
  for (size_t m = 0; m < p->outputs; ++m, weight += inputs) {
    const int8_t *other = values + (rows - 1) * inputs; /* the first again where there is one */
    int32_t a = p->bias[m], b = p->bias[m];
    for (size_t k = 0; k < inputs; k += 16) {
      const mve_pred16_t left = vctp8q((uint32_t)(inputs - k));
      const int8x16_t w = vld1q_z_s8(weight + k, left);
      a = vmladavaq_s8(a, vld1q_z_s8(values + k, left), w);
      b = vmladavaq_s8(b, vld1q_z_s8(other + k, left), w);
    }
    acc[m] = a;
    acc[(rows - 1) * p->outputs + m] = b;
  }
}

#endif
