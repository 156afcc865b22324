/* Matrix products of one or two rows, as the instruction set does them. */
#include "isa.h"
#include "kernels.h"

#if defined(USE_CMSIS_NN)
#include "product_cmsis_nn.h"
#elif defined(ISA_MVE)
#include "product_mve.h"
#else
#include "product_portable.h"
#if defined(ISA_DSP)
#include "product_dsp.h"
#endif
#endif

void product(const uint8_t* x, size_t rows, const Product* p, int32_t* acc, void* scratch) {
#if defined(USE_CMSIS_NN) || defined(ISA_MVE)
  multiply_vectors(x, rows, p, acc, scratch);
#elif defined(ISA_DSP)
  if (p->inputs % 4 == 0) {
    multiply_words(x, rows, p, acc, scratch);
  } else {
    multiply(x, rows, p, acc);
  }
#else
  (void)scratch;
  multiply(x, rows, p, acc);
#endif
}
