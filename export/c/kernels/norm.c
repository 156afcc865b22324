/* Layer norm over the channels of a token, and the two operators that end with it. */
#include "fixed.h"

/* Floor of the square root of 1 <= v < 2^52, bit by bit: root * root <= v < (root + 2 * bit)^2. */
static uint32_t isqrt(uint64_t v) {
  uint64_t root = 0; /* of what has been found, times twice the bit that is next */
  uint64_t bit = (uint64_t)1 << 50;
  while (bit > v) bit >>= 2;
  for (; bit; bit >>= 2) {
    if (v >= root + bit) {
      v -= root + bit;
      root = (root >> 1) + bit;
    } else {
      root >>= 1;
    }
  }
  return (uint32_t)root;
}

/* Bytes of u = width * x - sum: n = (u * reciprocal + 2^23) >> 24 units of 2^-20, then the norm's
 * weight and bias. reciprocal < 2^31. */
NARROW static void normalize(const int32_t* x, int32_t sum, int32_t width, int32_t reciprocal,
                             const Norm* p, uint8_t* out) {
  const int32_t* weight = p->weight;
  const int64_t* bias = p->bias;
  const uint8_t* shift = p->shift;
  for (const int32_t* const end = x + width; x != end; ++x, ++weight, ++bias, ++shift, ++out) {
    const int64_t scaled = (int64_t)(width * *x - sum) * reciprocal + (1 << 23);
    const int32_t n = (int32_t)(scaled >> 24);
    if (RARELY(*shift < 32)) {
      *out = byte(weigh_wide(n, *weight, *bias, *shift));
    } else {
      const int64_t y = (int64_t)n * *weight + *bias;
      *out = byte((int32_t)(y >> 32) >> (*shift - 32));
    }
  }
}

/* The same where the tokens' deviation is so small that its reciprocal needs more bits. */
static void normalize_wide(const int32_t* x, int32_t sum, int32_t width, int64_t reciprocal,
                           const Norm* p, uint8_t* out) {
  for (int32_t k = 0; k < width; ++k) {
    const int64_t n = ((width * x[k] - sum) * reciprocal + (1 << 23)) >> 24;
    out[k] = byte(weigh_wide((int32_t)n, p->weight[k], p->bias[k], p->shift[k]));
  }
}

/* x [channels] with |x| < 2^16, their sum and the sum of their squares, to bytes: SPEC's D and R.
 * v needs no u and no division: the sum of (C*x - S)^2 is C * (C * squares - S^2). */
static void layer_norm(const int32_t* x, int32_t sum, int64_t squares, size_t channels,
                       const Norm* p, uint8_t* out) {
  const int32_t width = (int32_t)channels;
  const uint32_t deviation = isqrt((uint64_t)(width * squares - (int64_t)sum * sum) + 1);
  const uint64_t reciprocal = (((uint64_t)1 << 44) + deviation / 2) / deviation;
  if (reciprocal <= INT32_MAX) {
    normalize(x, sum, width, (int32_t)reciprocal, p, out);
  } else {
    normalize_wide(x, sum, width, (int64_t)reciprocal, p, out);
  }
}

void embed_layer_norm(const model_id* ids, const uint8_t* types, size_t n, const Embeddings* p,
                      uint8_t* out, void* scratch) {
  const size_t width = p->channels;
  const uint16_t* t = p->table_multiplier;
  int32_t* x = scratch;
  for (size_t i = 0; i < n; ++i) {
    const int8_t* word = p->word + ids[i] * width;
    const int8_t* position = p->position + i * width;
    const int8_t* token_type = p->token_type + types[i] * width;
    int32_t sum = 0;
    int64_t squares = 0;
    for (size_t k = 0; k < width; ++k) {
      x[k] = t[k] * word[k] + t[width + k] * position[k] + t[2 * width + k] * token_type[k];
      sum += x[k];
      squares += (int64_t)x[k] * x[k];
    }
    layer_norm(x, sum, squares, width, &p->norm, out + i * width);
  }
}

/* acc [count] requantized to 16 bits, plus the residual, in place; gives the sum of all and adds
 * their squares to `squares`. */
static int32_t add(int32_t* acc, const uint8_t* residual, const NormLinear* p, size_t count,
                   int64_t* squares) {
  const int32_t* multiplier = p->linear.scale.multiplier;
  const uint8_t *shift = p->linear.scale.shift, *times = p->residual_multiplier;
  int64_t squared = *squares;
  int32_t sum = 0;
  for (const int32_t* const end = acc + count; acc != end; ++acc, ++multiplier, ++shift) {
    int32_t x;
    if (RARELY(*shift <= 32)) {
      x = scale_wide(*acc, *multiplier, *shift, 32767);
    } else {
      x = limit(SATURATE(scale_high(*acc, *multiplier, *shift), 16), 32767);
    }
    x += (*residual++ - ZERO_POINT) * *times++;
    *acc = x;
    sum += x;
    squared += (int64_t)x * x;
  }
  *squares = squared;
  return sum;
}

void add_layer_norm(const uint8_t* x, const uint8_t* residual, size_t rows, const NormLinear* p,
                    uint8_t* out, void* scratch) {
  const Product* branch = &p->linear.product;
  const size_t inputs = branch->inputs, width = branch->outputs;
  int32_t* acc = scratch;
  for (size_t row = 0; row < rows; row += 2) {
    const size_t count = rows - row < 2 ? 1 : 2;
    product(x + row * inputs, count, branch, acc, acc + 2 * width);
    for (size_t i = 0; i < count; ++i) {
      int32_t* sums = acc + i * width;
      int64_t squares = 0;
      const int32_t sum = add(sums, residual + (row + i) * width, p, width, &squares);
      layer_norm(sums, sum, squares, width, &p->norm, out + (row + i) * width);
    }
  }
}
