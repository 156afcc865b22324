// docs/SPEC.md's requantizations and layer norms in integers, as they stand there.
#include "rows.h"

namespace inhibi {
namespace {

int64_t clamp(int64_t x, int64_t lo, int64_t hi) { return x < lo ? lo : x > hi ? hi : x; }

// Largest root with root * root <= v, 1 <= v < 2^52: bit by bit.
int64_t isqrt(int64_t v) {
  int64_t root = 0;
  for (int64_t bit = int64_t{1} << 25; bit; bit >>= 1)
    if ((root + bit) * (root + bit) <= v) root += bit;
  return root;
}

// (x + 2^(shift-1)) >> shift, clamped.
int64_t shifted(int64_t x, int32_t shift, int64_t lo, int64_t hi) {
  return clamp((x + (int64_t{1} << (shift - 1))) >> shift, lo, hi);
}

}  // namespace

void norm_scalar(const int32_t* x, const InhibiNorm& p, size_t channels, uint8_t* out) {
  const int64_t width = static_cast<int64_t>(channels);
  int64_t sum = 0, squares = 0;
  for (size_t k = 0; k < channels; ++k) sum += x[k];
  for (size_t k = 0; k < channels; ++k) {
    const int64_t u = width * x[k] - sum;
    squares += u * u;
  }
  const int64_t deviation = isqrt(squares / width + 1);
  const int64_t reciprocal = ((int64_t{1} << 44) + deviation / 2) / deviation;
  for (size_t k = 0; k < channels; ++k) {
    const int64_t u = width * x[k] - sum;
    const int64_t n = (u * reciprocal + (1 << 23)) >> 24;
    out[k] =
        static_cast<uint8_t>(128 + shifted(n * p.weight[k] + p.bias[k], p.shift[k], p.lo, p.hi));
  }
}

void requantize_scalar(const InhibiRequantize* p) {
  for (size_t i = 0; i < p->rows; ++i) {
    const int32_t* acc = p->acc + i * p->acc_stride;
    uint8_t* out = p->out + i * p->stride;
    for (size_t k = 0; k < p->columns; ++k) {
      const int64_t product = (int64_t{acc[k]} + p->bias[k]) * p->multiplier[k];
      const int64_t y = 128 + shifted(product, p->shift[k], p->lo, p->hi);
      out[k] = p->table ? p->table[y] : static_cast<uint8_t>(y);
    }
  }
}

void add_layer_norm_scalar(const InhibiAddLayerNorm* p) {
  int32_t x[INHIBI_MAX_CHANNELS];
  for (size_t i = 0; i < p->rows; ++i) {
    const int32_t* acc = p->acc + i * p->channels;
    const uint8_t* residual = p->residual + i * p->channels;
    for (size_t k = 0; k < p->channels; ++k) {
      const int64_t product = (int64_t{acc[k]} + p->bias[k]) * p->multiplier[k];
      const int64_t branch = shifted(product, p->shift[k], -32767, 32767);
      x[k] = static_cast<int32_t>(branch) + (residual[k] - 128) * p->residual_multiplier[k];
    }
    norm_scalar(x, p->norm, p->channels, p->out + i * p->channels);
  }
}

void embed_layer_norm_scalar(const InhibiEmbedLayerNorm* p) {
  int32_t x[INHIBI_MAX_CHANNELS];
  const int64_t width = static_cast<int64_t>(p->channels);
  for (size_t i = 0; i < p->rows; ++i) {
    const int8_t* word = p->word + p->input_ids[i] * width;
    const int8_t* position = p->position + p->position_ids[i] * width;
    const int8_t* token_type = p->token_type + p->token_type_ids[i] * width;
    const int32_t* t = p->table_multiplier;
    for (size_t k = 0; k < p->channels; ++k)
      x[k] = t[k] * word[k] + t[p->channels + k] * position[k] +
             t[2 * p->channels + k] * token_type[k];
    norm_scalar(x, p->norm, p->channels, p->out + i * p->channels);
  }
}

}  // namespace inhibi
