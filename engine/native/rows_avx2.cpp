// The row kernels for x86-64 with AVX2 and FMA.
#include "row_loops.h"

#if defined(__x86_64__)

#define INHIBI_TARGET __attribute__((target("avx2,fma")))

namespace inhibi {

INHIBI_TARGET void requantize_avx2(const InhibiRequantize* p) {
  requantize_rows(*p);
  if (p->table) look_up_rows(*p);
}

INHIBI_TARGET void add_layer_norm_avx2(const InhibiAddLayerNorm* p) { add_layer_norm_rows(*p); }

INHIBI_TARGET void embed_layer_norm_avx2(const InhibiEmbedLayerNorm* p) {
  embed_layer_norm_rows(*p);
}

}  // namespace inhibi

#endif
