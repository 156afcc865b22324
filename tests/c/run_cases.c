/* Runs a file of operators' cases through export/c/kernels, on any target.
 *
 *   run_cases FILE        prints the instruction set, or the first case that differs
 *
 * tests/native_cases.py writes the file; tests/native/run_cases.cpp explains the format. Every
 * array has memory of its own, just as large as it is, so that the address sanitizer sees every
 * step beside it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa.h"
#include "kernels.h"

enum { MAX_INPUTS = 16 };

typedef struct {
  char name[128];
  size_t rows, columns, heads, count;
  int32_t flags[4]; /* centred, signed, lo, hi */
  size_t sizes[MAX_INPUTS];
  void* inputs[MAX_INPUTS];
  uint8_t* result;
} Case;

static void* take(size_t size) {
  void* memory = malloc(size ? size : 1);
  if (!memory) exit(3);
  return memory;
}

static void fill(FILE* file, void* to, size_t size) {
  if (fread(to, 1, size, file) != size) exit(4);
}

static size_t number(FILE* file) {
  uint64_t value;
  fill(file, &value, 8);
  return (size_t)value;
}

static void text(FILE* file, char* to, size_t room) {
  const size_t size = number(file);
  if (size >= room) exit(5);
  fill(file, to, size);
  to[size] = 0;
}

static int read_case(FILE* file, Case* c) {
  const int next = fgetc(file);
  if (next == EOF) return 0;
  ungetc(next, file);
  char operator_name[32], name[64];
  text(file, operator_name, sizeof operator_name);
  text(file, name, sizeof name);
  snprintf(c->name, sizeof c->name, "%s-%s", operator_name, name);
  c->rows = number(file), c->columns = number(file), c->heads = number(file);
  fill(file, c->flags, sizeof c->flags);
  c->count = number(file);
  if (c->count > MAX_INPUTS) exit(6);
  for (size_t i = 0; i < c->count; ++i) {
    number(file); /* an item's size */
    c->sizes[i] = number(file);
    c->inputs[i] = take(c->sizes[i]);
    fill(file, c->inputs[i], c->sizes[i]);
  }
  c->result = take(c->rows * c->columns);
  fill(file, c->result, c->rows * c->columns);
  return 1;
}

static void release(Case* c) {
  for (size_t i = 0; i < c->count; ++i) free(c->inputs[i]);
  free(c->result);
}

static int is(const Case* c, const char* operator_name) {
  return !strncmp(c->name, operator_name, strlen(operator_name)) &&
         c->name[strlen(operator_name)] == '-';
}

/* int32 to bytes, each more by `more`. */
static uint8_t* bytes(const int32_t* values, size_t count, int32_t more) {
  uint8_t* made = take(count);
  for (size_t i = 0; i < count; ++i) made[i] = (uint8_t)(values[i] + more);
  return made;
}

static int32_t* times_128(const int32_t* values, size_t count) {
  int32_t* made = take(4 * count);
  for (size_t i = 0; i < count; ++i) made[i] = values[i] * 128;
  return made;
}

/* A product of `inputs` zeros whose bias is the accumulator: so a row's arrive unchanged. */
static Linear linear_of(const Case* c, size_t row, size_t inputs) {
  const int32_t *acc = (int32_t*)c->inputs[0] + row * c->columns, *bias = c->inputs[1];
  int32_t* sum = take(4 * c->columns);
  int8_t* weight = take(inputs * c->columns);
  for (size_t k = 0; k < c->columns; ++k) sum[k] = acc[k] + bias[k];
  memset(weight, 0, inputs * c->columns);
  const Linear linear = {{inputs, c->columns, weight, sum},
                         {times_128(c->inputs[2], c->columns), bytes(c->inputs[3], c->columns, 7)}};
  return linear;
}

static void release_linear(const Linear* p) {
  free((void*)p->product.weight), free((void*)p->product.bias);
  free((void*)p->scale.multiplier), free((void*)p->scale.shift);
}

static Norm norm_of(const Case* c, size_t i) {
  const int64_t* from = c->inputs[i + 1];
  const int32_t* shift = c->inputs[i + 2];
  int64_t* bias = take(8 * c->columns);
  for (size_t k = 0; k < c->columns; ++k) {
    bias[k] = from[k] * 128 + ((int64_t)1 << (shift[k] + 6));
  }
  const Norm norm = {times_128(c->inputs[i], c->columns), bias, bytes(shift, c->columns, 7)};
  return norm;
}

static void release_norm(const Norm* p) {
  free((void*)p->weight), free((void*)p->bias), free((void*)p->shift);
}

static void run_rows(const Case* c, uint8_t* out) {
  for (size_t row = 0; row < c->rows; ++row, out += c->columns) {
    const size_t inputs = row % 2 ? 3 : 4;
    uint8_t* x = take(inputs);
    memset(x, ZERO_POINT + 1, inputs);
    void* scratch = take(PRODUCT_SCRATCH(inputs, c->columns));
    const Linear linear = linear_of(c, row, inputs);
    if (is(c, "Requantize")) {
      requantize(x, 1, &linear, out, scratch);
    } else if (is(c, "RequantizeLookup")) {
      uint16_t* ends = take(2 * c->columns); /* a run for each channel */
      for (size_t k = 0; k < c->columns; ++k) ends[k] = (uint16_t)(k + 1);
      const LookupLinear lookup = {linear, (const uint8_t (*)[256])c->inputs[4], c->columns, ends,
                                   c->inputs[5]};
      requantize_lookup(x, 1, &lookup, out, scratch);
      free(ends);
    } else {
      uint8_t* times = bytes(c->inputs[5], c->columns, 0);
      const NormLinear norm = {linear, times, norm_of(c, 6)};
      const uint8_t* residual = (uint8_t*)c->inputs[4] + row * c->columns;
      add_layer_norm(x, residual, 1, &norm, out, scratch);
      release_norm(&norm.norm), free(times);
    }
    release_linear(&linear), free(scratch), free(x);
  }
}

/* Positions are any here, so each token is a first one whose row of positions is moved there. */
static void run_embed(const Case* c, uint8_t* out) {
  uint16_t* times = take(6 * c->columns);
  for (size_t k = 0; k < 3 * c->columns; ++k) times[k] = (uint16_t)((int32_t*)c->inputs[6])[k];
  void* scratch = take(EMBED_SCRATCH(c->columns));
  Embeddings p = {c->columns, c->inputs[3], NULL, c->inputs[5], times, norm_of(c, 7)};
  for (size_t i = 0; i < c->rows; ++i, out += c->columns) {
    const model_id id = (model_id)((int64_t*)c->inputs[0])[i];
    const uint8_t type = (uint8_t)((int64_t*)c->inputs[2])[i];
    p.position = (int8_t*)c->inputs[4] + ((int64_t*)c->inputs[1])[i] * (int64_t)c->columns;
    embed_layer_norm(&id, &type, 1, &p, out, scratch);
  }
  release_norm(&p.norm), free(times), free(scratch);
}

static void run_attention(const Case* c, uint8_t* out) {
  const int64_t* offsets = c->inputs[1];
  uint8_t *score_shift = bytes(c->inputs[4], c->heads, 0),
          *shift = bytes(c->inputs[6], c->columns, 0);
  const Attention a = {c->columns,  c->heads,     c->inputs[2], c->inputs[3],
                       score_shift, c->inputs[5], shift};
  const InhibitorAttention inhibitor = {a, c->inputs[7], c->flags[0], c->flags[1]};
  const DotProductAttention dot_product = {a, c->inputs[7]};
  for (size_t start = 0; start < c->rows; ++offsets) {
    const size_t n = (size_t)(offsets[1] - offsets[0]), d = c->columns / c->heads;
    const uint8_t* qkv = (uint8_t*)c->inputs[0] + start * 3 * c->columns;
    if (is(c, "InhibitorAttention")) {
      void* scratch = take(INHIBITOR_SCRATCH(n, d));
      inhibitor_attention(qkv, n, &inhibitor, out + start * c->columns, scratch);
      free(scratch);
    } else {
      void* scratch = take(DOT_PRODUCT_SCRATCH(n, d));
      dot_product_attention(qkv, n, &dot_product, out + start * c->columns, scratch);
      free(scratch);
    }
    start += n;
  }
  free(score_shift), free(shift);
}

static void run_pool(const Case* c, uint8_t* out) {
  const int64_t* offsets = c->inputs[1];
  int32_t* multiplier = times_128(c->inputs[2], c->columns);
  uint8_t* shift = bytes(c->inputs[3], c->columns, 7);
  const Scale scale = {multiplier, shift};
  for (size_t i = 0; i < c->rows; ++i) {
    const uint8_t* x = (uint8_t*)c->inputs[0] + offsets[i] * (int64_t)c->columns;
    mean_pool(x, (size_t)(offsets[i + 1] - offsets[i]), c->columns, &scale, out + i * c->columns);
  }
  free(multiplier), free(shift);
}

/* x [rows][inputs], weight [outputs][inputs] and bias to accumulators, four bytes each. */
static void run_product(const Case* c, uint8_t* out) {
  const size_t outputs = c->columns / 4, inputs = c->sizes[0] / c->rows;
  const Product p = {inputs, outputs, c->inputs[1], c->inputs[2]};
  for (size_t row = 0; row < c->rows; row += 2) {
    const size_t rows = c->rows - row < 2 ? 1 : 2;
    int32_t* acc = take(4 * rows * outputs);
    void* scratch = take(PRODUCT_SCRATCH(inputs, outputs) - 8 * outputs);
    product((uint8_t*)c->inputs[0] + row * inputs, rows, &p, acc, scratch);
    memcpy(out + row * c->columns, acc, 4 * rows * outputs);
    free(acc), free(scratch);
  }
}

static int right(const Case* c) {
  uint8_t* out = take(c->rows * c->columns);
  memset(out, 0xa5, c->rows * c->columns);
  if (is(c, "MatMulInteger")) {
    run_product(c, out);
  } else if (is(c, "EmbedLayerNorm")) {
    run_embed(c, out);
  } else if (is(c, "MeanPool")) {
    run_pool(c, out);
  } else if (is(c, "InhibitorAttention") || is(c, "DotProductAttention")) {
    run_attention(c, out);
  } else {
    run_rows(c, out);
  }
  const int equal = !memcmp(out, c->result, c->rows * c->columns);
  free(out);
  return equal;
}

int main(int count, char** arguments) {
  FILE* file = fopen(count > 1 ? arguments[1] : "cases.bin", "rb");
  if (!file) return fprintf(stderr, "no file of cases\n"), 2;
  Case c;
  size_t cases = 0, wrong = 0;
  for (; read_case(file, &c); ++cases) {
    if (!right(&c)) {
      printf("%s differs: %s\n", ISA_NAME, c.name);
      ++wrong;
    }
    release(&c);
  }
  fclose(file);
  printf("%s: %lu cases, %lu wrong\n", ISA_NAME, (unsigned long)cases, (unsigned long)wrong);
  return wrong || !cases;
}
