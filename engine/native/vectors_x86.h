// Small helpers of the x86 kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "unroll.h"

namespace inhibi {

inline int32_t load32(const void* from) {
  int32_t value;
  memcpy(&value, from, sizeof value);
  return value;
}

inline int64_t load64(const void* from) {
  int64_t value;
  memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace inhibi
