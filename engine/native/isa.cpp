// Which instruction sets this build has kernels for, and which of them this processor has.
#include <cstring>

#include "dot_product.h"
#include "inhibitor.h"
#include "rows.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1UL << 20)
#endif
#endif

namespace inhibi {
namespace {

struct Isa {
  InhibiKernels kernels;
  bool (*available)();
};

#if defined(__x86_64__)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512bw() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

bool has_avx512vnni() { return has_avx512bw() && __builtin_cpu_supports("avx512vnni"); }
#elif defined(__aarch64__)
bool has_dotprod() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  return true;  // on all of Apple's
#endif
}
#endif

bool always() { return true; }

// Best first.
const Isa isas[] = {
#if defined(__x86_64__)
    {{"avx512vnni", requantize_avx512, add_layer_norm_avx512, embed_layer_norm_avx512,
      &inhibitor_avx512vnni, &dot_product_avx512vnni},
     has_avx512vnni},
    {{"avx512bw", requantize_avx512, add_layer_norm_avx512, embed_layer_norm_avx512,
      &inhibitor_avx512bw, &dot_product_avx512bw},
     has_avx512bw},
    {{"avx2", requantize_avx2, add_layer_norm_avx2, embed_layer_norm_avx2, &inhibitor_avx2,
      &dot_product_avx2},
     has_avx2},
#elif defined(__aarch64__)
    {{"dotprod", requantize_neon, add_layer_norm_neon, embed_layer_norm_neon, &inhibitor_dotprod,
      &dot_product_dotprod},
     has_dotprod},
    {{"neon", requantize_neon, add_layer_norm_neon, embed_layer_norm_neon, &inhibitor_neon,
      &dot_product_neon},
     always},
#endif
    {{"scalar", requantize_scalar, add_layer_norm_scalar, embed_layer_norm_scalar,
      &inhibitor_scalar, &dot_product_scalar},
     always},
};

struct Names {
  char text[64];
};

Names available_names() {
  Names names = {};
  for (const Isa& isa : isas) {
    if (!isa.available()) continue;
    if (names.text[0]) strcat(names.text, " ");
    strcat(names.text, isa.kernels.name);  // all names together have fewer than 64 characters
  }
  return names;
}

}  // namespace
}  // namespace inhibi

using namespace inhibi;

const InhibiKernels* inhibi_kernels(const char* name) {
  const bool best = !name || !*name;
  for (const Isa& isa : isas) {
    if ((best || strcmp(name, isa.kernels.name) == 0) && isa.available()) return &isa.kernels;
  }
  return nullptr;
}

const char* inhibi_isas(void) {
  static const Names names = available_names();
  return names.text;
}

int inhibi_products_saturate(void) {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool avx_vnni = __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
  return !avx_vnni && !__builtin_cpu_supports("avx512vnni");
#else
  return 0;
#endif
}
