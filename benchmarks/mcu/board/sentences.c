/* Runs the student on sentences: ids.bin to logits.bin, and what it took to used.txt.
 *
 * ids.bin: uint32 sentences; each uint32 n, then n uint32. logits.bin: MODEL_OUTPUTS int32 for
 * each. used.txt: "stack BYTES", and with MODEL_TRACE "instructions NAME COUNT" of every operator
 * and of all matrix products in them (linked with --wrap=product), summed over the sentences.
 * Instructions are ticks of a timer that counts TICK of them, which is so where the emulator takes
 * a nanosecond for each (-icount shift=0). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels.h"
#include "model.h"

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
#define CONTROL (*(volatile uint32_t*)0xe000e010u)
#define RELOAD (*(volatile uint32_t*)0xe000e014u)
#define VALUE (*(volatile uint32_t*)0xe000e018u)
#else /* a program of the host or of another Linux: there is no such timer */
static uint32_t CONTROL, RELOAD, VALUE;
#endif
#define PAINT 0xc5c5c5c5u
#define PAINTED 4096 /* words of the stack */

static uint32_t number(FILE* file) {
  uint32_t value;
  if (fread(&value, 4, 1, file) != 1) exit(4);
  return value;
}

/* Words below this function's frame, which later calls may use. */
#if defined(__SANITIZE_ADDRESS__)
__attribute__((no_sanitize("address")))
#endif
__attribute__((noinline)) static volatile uint32_t* paint(void) {
  volatile uint32_t* const top = (volatile uint32_t*)__builtin_frame_address(0) - 16;
  for (int i = 1; i <= PAINTED; ++i) top[-i] = PAINT;
  return top;
}

static unsigned stack_used(const volatile uint32_t* top) {
  int deepest = PAINTED;
  while (deepest && top[-deepest] == PAINT) --deepest;
  return 4u * (unsigned)deepest;
}

#ifdef MODEL_TRACE
enum { OPERATORS = 512 };
static struct {
  const char* name;
  uint64_t ticks;
} operators[OPERATORS];
static unsigned next, count;
static uint32_t last;
static uint64_t products;

void __real_product(const uint8_t* x, size_t rows, const Product* p, int32_t* acc, void* scratch);
void __wrap_product(const uint8_t* x, size_t rows, const Product* p, int32_t* acc, void* scratch);

void __wrap_product(const uint8_t* x, size_t rows, const Product* p, int32_t* acc, void* scratch) {
  const uint32_t start = VALUE;
  __real_product(x, rows, p, acc, scratch);
  products += (start - VALUE) & 0xffffffu;
}

static uint32_t elapsed(void) {
  const uint32_t now = VALUE, ticks = (last - now) & 0xffffffu;
  last = now;
  return ticks;
}

void model_trace(const char* name, const uint8_t* tensor, size_t size) {
  (void)tensor, (void)size;
  operators[next].name = name;
  operators[next].ticks += elapsed();
  count = ++next > count ? next : count;
  last = VALUE; /* this function costs nothing */
}
#endif

int main(void) {
  FILE *const in = fopen("ids.bin", "rb"), *const out = fopen("logits.bin", "wb");
  if (!in || !out) return 2;
  unsigned most = 0;
  RELOAD = 0xffffff, VALUE = 0, CONTROL = 5;
  for (uint32_t left = number(in); left; --left) {
    static model_id ids[MODEL_MAX_TOKENS];
    MODEL_OUTPUT output[MODEL_OUTPUTS];
    const uint32_t n = number(in);
    if (n > MODEL_MAX_TOKENS) return 5;
    for (uint32_t i = 0; i < n; ++i) ids[i] = (model_id)number(in);
    const volatile uint32_t* const top = paint();
#ifdef MODEL_TRACE
    next = 0, last = VALUE;
#endif
    if (model_run(ids, n, output) != MODEL_OK) return 3;
    const unsigned used = stack_used(top);
    most = used > most ? used : most;
    for (int i = 0; i < MODEL_OUTPUTS; ++i) {
      const int32_t value = (int32_t)output[i];
      fwrite(&value, 4, 1, out);
    }
  }
  FILE* const file = fopen("used.txt", "w");
  fprintf(file, "stack %u\n", most);
#ifdef MODEL_TRACE
  for (unsigned i = 0; i < count; ++i) {
    fprintf(file, "instructions %s %lu\n", operators[i].name,
            (unsigned long)(operators[i].ticks * TICK));
  }
  fprintf(file, "instructions product %lu\n", (unsigned long)(products * TICK));
#endif
  fclose(file), fclose(in), fclose(out);
  return 0;
}
