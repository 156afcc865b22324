// The operators of the domain ai.inhibi: docs/SPEC.md. Whatever a file holds, a node computes or
// fails with one line; only |acc*m| < 2^53 and its like, which export proves, are taken on trust.
#include "operators.h"

#include <algorithm>
#include <atomic>

#include "operator_call.h"

namespace inhibi {
namespace {

constexpr int64_t power(int exponent) { return int64_t{1} << exponent; }

// Values that make a task worth its share of a parallel call, which costs about 1 us.
constexpr size_t requantized = 16384, normalized = 6144;

InhibiNorm norm_of(Call& call, size_t index, size_t channels) {
  InhibiNorm norm = {};
  norm.weight = call.vector_in<int32_t>(index, channels, 1 - power(24), power(24) - 1);
  norm.bias = call.vector_in<int64_t>(index + 1, channels, 1 - power(51), power(51) - 1);
  norm.shift = call.vector_in<int32_t>(index + 2, channels, 1, 46);
  norm.lo = call.node.lo;
  norm.hi = call.node.hi;
  if (channels < 1 || channels > INHIBI_MAX_CHANNELS) {
    call.fail("%zu channels are outside 1..%d", channels, int{INHIBI_MAX_CHANNELS});
  }
  return norm;
}

// The columns from `first` on as far as they share a table.
InhibiRequantize same_table(InhibiRequantize all, const uint8_t* table_index, size_t first) {
  size_t end = first + 1;
  while (end < all.columns && table_index[end] == table_index[first]) ++end;
  all.acc += first, all.bias += first, all.multiplier += first, all.shift += first;
  all.table += size_t{256} * table_index[first];
  all.out += first;
  all.columns = end - first;
  return all;
}

void requantize_with(Call& call, bool lookup) {
  const Tensor acc = call.read(0, 2);
  InhibiRequantize all = {};
  all.acc = static_cast<const int32_t*>(acc.data);
  all.rows = static_cast<size_t>(acc.dims[0]);
  all.columns = all.acc_stride = all.stride = static_cast<size_t>(acc.dims[1]);
  all.bias = call.vector<int32_t>(1, all.columns);
  all.multiplier = call.vector_in<int32_t>(2, all.columns, 1 - power(24), power(24) - 1);
  all.shift = call.vector_in<int32_t>(3, all.columns, 1, 46);
  const uint8_t* table_index = nullptr;
  if (lookup) {
    const size_t tables = static_cast<size_t>(call.read(4, 2).dims[0]);
    if (tables < 1 || tables > 256) call.fail("table has %zu rows, not 1..256", tables);
    all.table = call.matrix<uint8_t>(4, tables, 256);
    table_index = call.vector_in<uint8_t>(5, all.columns, 0, static_cast<int64_t>(tables) - 1, 4);
  }
  all.lo = call.node.lo;
  all.hi = call.node.hi;
  all.out = call.output(all.rows, all.columns);
  if (call.failed()) return;
  const InhibiKernels* kernels = call.node.kernels;
  call.rows(all.rows, all.columns, requantized, [=](size_t first, size_t count) {
    InhibiRequantize part = all;
    part.rows = count;
    part.acc += first * all.columns;
    part.out += first * all.columns;
    if (!table_index) return kernels->requantize(&part);
    for (size_t k = 0; k < part.columns;) {
      const InhibiRequantize same = same_table(part, table_index, k);
      kernels->requantize(&same);
      k += same.columns;
    }
  });
}

}  // namespace

void requantize(Call& call) { requantize_with(call, false); }
void requantize_lookup(Call& call) { requantize_with(call, true); }

void add_layer_norm(Call& call) {
  const Tensor acc = call.read(0, 2);
  InhibiAddLayerNorm all = {};
  all.acc = static_cast<const int32_t*>(acc.data);
  all.rows = static_cast<size_t>(acc.dims[0]);
  all.channels = static_cast<size_t>(acc.dims[1]);
  all.bias = call.vector<int32_t>(1, all.channels);
  all.multiplier = call.vector_in<int32_t>(2, all.channels, 1 - power(24), power(24) - 1);
  all.shift = call.vector_in<int32_t>(3, all.channels, 1, 46);
  all.residual = call.matrix<uint8_t>(4, all.rows, all.channels);
  all.residual_multiplier = call.vector_in<int32_t>(5, all.channels, 1, 64);
  all.norm = norm_of(call, 6, all.channels);
  all.out = call.output(all.rows, all.channels);
  if (call.failed()) return;
  const InhibiKernels* kernels = call.node.kernels;
  call.rows(all.rows, all.channels, normalized, [=](size_t first, size_t count) {
    InhibiAddLayerNorm part = all;
    part.rows = count;
    part.acc += first * all.channels;
    part.residual += first * all.channels;
    part.out += first * all.channels;
    kernels->add_layer_norm(&part);
  });
}

namespace {

// A table [rows, channels], and ids [tokens] within it.
struct Embedding {
  const int8_t* table;
  const int64_t* ids;
};

Embedding embedding(Call& call, size_t index, size_t tokens, size_t channels) {
  const Tensor table = call.read(index + 3, 2);
  call.matrix<int8_t>(index + 3, static_cast<size_t>(table.dims[0]), channels);
  const int64_t* ids = call.vector_in<int64_t>(index, tokens, 0, table.dims[0] - 1, index + 3);
  return {static_cast<const int8_t*>(table.data), ids};
}

// Three multipliers of a channel: none negative, and 127 times their sum below 2^16.
const int32_t* table_multiplier(Call& call, size_t index, size_t channels) {
  const int32_t* t = call.matrix<int32_t>(index, 3, channels);
  call.check(
      index,
      [=] {
        bool inside = true;
        for (size_t k = 0; k < channels; ++k) {
          const int64_t sum = int64_t{t[k]} + t[k + channels] + t[k + 2 * channels];
          inside &=
              (t[k] >= 0) & (t[k + channels] >= 0) & (t[k + 2 * channels] >= 0) & (sum <= 516);
        }
        return inside;
      },
      0, 516, index);
  return t;
}

}  // namespace

void embed_layer_norm(Call& call) {
  InhibiEmbedLayerNorm all = {};
  all.rows = static_cast<size_t>(call.read(0, 1).dims[0]);
  all.channels = static_cast<size_t>(call.read(3, 2).dims[1]);
  const Embedding word = embedding(call, 0, all.rows, all.channels);
  const Embedding position = embedding(call, 1, all.rows, all.channels);
  const Embedding token_type = embedding(call, 2, all.rows, all.channels);
  all.input_ids = word.ids, all.word = word.table;
  all.position_ids = position.ids, all.position = position.table;
  all.token_type_ids = token_type.ids, all.token_type = token_type.table;
  all.table_multiplier = table_multiplier(call, 6, all.channels);
  all.norm = norm_of(call, 7, all.channels);
  all.out = call.output(all.rows, all.channels);
  if (call.failed()) return;
  const InhibiKernels* kernels = call.node.kernels;
  call.rows(all.rows, all.channels, normalized, [=](size_t first, size_t count) {
    InhibiEmbedLayerNorm part = all;
    part.rows = count;
    part.input_ids += first;
    part.position_ids += first;
    part.token_type_ids += first;
    part.out += first * all.channels;
    kernels->embed_layer_norm(&part);
  });
}

namespace {

// Offsets [B+1] that cut N tokens into B sentences of 1..most tokens.
void read_offsets(Call& call, size_t tokens, size_t most, InhibiAttention& all) {
  const Tensor offsets = call.read(1, 1);
  if (call.failed()) return;
  if (offsets.dims[0] < 1) return call.fail("offsets is empty");
  all.offsets = static_cast<const int64_t*>(offsets.data);
  all.sentences = static_cast<size_t>(offsets.dims[0]) - 1;
  const int64_t last = all.offsets[all.sentences];
  if (all.offsets[0] != 0) return call.fail("offsets do not start at 0");
  if (last != static_cast<int64_t>(tokens)) {
    return call.fail("offsets end at %lld, not at the %zu tokens", static_cast<long long>(last),
                     tokens);
  }
  for (size_t i = 0; i < all.sentences; ++i) {  // so that all lie between 0 and the last
    const int64_t start = all.offsets[i], end = all.offsets[i + 1];
    if (end <= start) return call.fail("offsets do not increase at sentence %zu", i);
    if (static_cast<uint64_t>(end - start) > most) {
      return call.fail("sentence %zu has more than %zu tokens", i, most);
    }
    all.longest = std::max(all.longest, static_cast<size_t>(end - start));
  }
}

// Inputs that both attentions have; `most` tokens a sentence, multipliers of scores from `least`.
InhibiAttention attention(Call& call, size_t most, int64_t least) {
  const Tensor qkv = call.read(0, 2);
  const size_t tokens = static_cast<size_t>(qkv.dims[0]);
  const size_t columns = static_cast<size_t>(qkv.dims[1]);
  InhibiAttention all = {};
  all.qkv = static_cast<const uint8_t*>(qkv.data);
  all.heads = static_cast<size_t>(call.node.heads);
  all.hidden = columns / 3;
  const size_t width = all.hidden / all.heads;
  if (columns != 3 * all.heads * width || width % 8 || width < 1 || width > INHIBI_MAX_HEAD_WIDTH) {
    call.fail(
        "%zu columns are not queries, keys and values of %zu heads whose width is a "
        "multiple of 8 up to %d",
        columns, all.heads, int{INHIBI_MAX_HEAD_WIDTH});
  }
  read_offsets(call, tokens, most, all);
  all.score_multiplier = call.vector_in<int32_t>(2, all.heads, least, power(16) - 1);
  all.score_offset = call.vector_in<int32_t>(3, all.heads, 1 - power(30), power(30) - 1);
  all.score_shift = call.vector_in<int32_t>(4, all.heads, 1, 30);
  all.multiplier = call.vector_in<int32_t>(5, all.hidden, 1 - power(24), power(24) - 1);
  all.shift = call.vector_in<int32_t>(6, all.hidden, 1, 46);
  all.lo = call.node.lo;
  all.hi = call.node.hi;
  all.out = call.output(tokens, all.hidden);
  return all;
}

// Runs all tasks of one of the two kernels.
void run_attention(Call& call, const InhibiAttention& all,
                   int (*kernel)(const InhibiKernels*, const InhibiAttention*, size_t)) {
  if (call.failed()) return;
  const InhibiKernels* kernels = call.node.kernels;
  std::atomic<bool> no_memory{false};
  call.parallel(inhibi_attention_tasks(&all), [&](size_t task) {
    if (kernel(kernels, &all, task)) no_memory.store(true, std::memory_order_relaxed);
  });
  if (no_memory) call.fail("there is no memory for a sentence");
}

}  // namespace

void inhibitor_attention(Call& call) {
  const size_t entries = static_cast<size_t>(call.read(7, 1).dims[0]);
  const size_t most = std::min<size_t>(entries ? entries - 1 : 0, INHIBI_MAX_TOKENS);
  InhibiAttention all = attention(call, most, 1 - power(16));
  all.length = call.vector_in<int32_t>(7, entries, 0, power(22));  // n0 <= 128
  all.centred = call.node.centred;
  all.is_signed = call.node.is_signed;
  run_attention(call, all, inhibi_inhibitor_attention);
}

void dot_product_attention(Call& call) {
  InhibiAttention all = attention(call, 4096, 0);
  all.table = call.vector<uint16_t>(7, 256);
  if (call.failed()) return;
  if (all.table[0] == 0) return call.fail("table starts with 0, which sums divide by");
  for (size_t h = 0; h < all.heads; ++h) {  // then the largest score's weight is table[0]
    if (all.score_offset[h] != power(all.score_shift[h] - 1)) {
      return call.fail("score_offset is not half of 2^score_shift at head %zu", h);
    }
  }
  run_attention(call, all, inhibi_dot_product_attention);
}

}  // namespace inhibi
