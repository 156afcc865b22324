/* Helium: 16 products in an instruction, the ends of rows under a predicate. */
#ifndef PRODUCT_MVE_H
#define PRODUCT_MVE_H

#include <arm_mve.h>

#include "kernels.h"

static void centre(const uint8_t* x, size_t count, int8_t* values) {
  const uint8x16_t flip = vdupq_n_u8(0x80);
  for (size_t k = 0; k < count; k += 16) {
    const mve_pred16_t left = vctp8q((uint32_t)(count - k));
    vst1q_p_s8(values + k, vreinterpretq_s8_u8(veorq_u8(vld1q_z_u8(x + k, left), flip)), left);
  }
}

/* Two rows, `apart` bytes from each other, by two outputs. */
static void two_by_two(const int8_t* x, size_t apart, const int8_t* weight, size_t inputs,
                       const int32_t* bias, int32_t* acc, size_t outputs) {
  int32_t a = bias[0], b = bias[1], c = bias[0], d = bias[1];
  size_t left = inputs;
  for (; left >= 16; left -= 16, x += 16, weight += 16) {
    const int8x16_t u = vld1q_s8(weight), v = vld1q_s8(weight + inputs);
    const int8x16_t first = vld1q_s8(x), second = vld1q_s8(x + apart);
    a = vmladavaq_s8(a, first, u);
    b = vmladavaq_s8(b, first, v);
    c = vmladavaq_s8(c, second, u);
    d = vmladavaq_s8(d, second, v);
  }
  if (left) {
    const mve_pred16_t end = vctp8q((uint32_t)left);
    const int8x16_t u = vld1q_z_s8(weight, end), v = vld1q_z_s8(weight + inputs, end);
    const int8x16_t first = vld1q_z_s8(x, end), second = vld1q_z_s8(x + apart, end);
    a = vmladavaq_s8(a, first, u);
    b = vmladavaq_s8(b, first, v);
    c = vmladavaq_s8(c, second, u);
    d = vmladavaq_s8(d, second, v);
  }
  acc[0] = a, acc[1] = b, acc[outputs] = c, acc[outputs + 1] = d;
}

static int32_t one_by_one(const int8_t* x, const int8_t* weight, size_t inputs, int32_t acc) {
  for (size_t k = 0; k < inputs; k += 16) {
    const mve_pred16_t end = vctp8q((uint32_t)(inputs - k));
    acc = vmladavaq_s8(acc, vld1q_z_s8(x + k, end), vld1q_z_s8(weight + k, end));
  }
  return acc;
}

static void multiply_vectors(const uint8_t* x, size_t rows, const Product* p, int32_t* acc,
                             int8_t* values) {
  const size_t inputs = p->inputs, outputs = p->outputs;
  size_t m = 0;
  centre(x, rows * inputs, values);
  if (rows == 2) {
    for (; m + 2 <= outputs; m += 2) {
      two_by_two(values, inputs, p->weight + m * inputs, inputs, p->bias + m, acc + m, outputs);
    }
  }
  for (; m < outputs; ++m) {
    for (size_t row = 0; row < rows; ++row) {
      acc[row * outputs + m] =
          one_by_one(values + row * inputs, p->weight + m * inputs, inputs, p->bias[m]);
    }
  }
}

#endif
