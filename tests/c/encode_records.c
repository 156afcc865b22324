/* Encodes texts from standard input, each in memory of its own size, and prints what comes back.

   A record is a capacity, the bytes of a text and of a second one, each uint32 (ALONE for no second
   text), then the texts. A line is the status, then the ids, and in front of a pair's second text
   a bar. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tokenizer.h"

#define ALONE UINT32_MAX

static char* take(uint32_t length) {
  char* made = malloc(length ? length : 1);
  if (!made || fread(made, 1, length, stdin) != length) exit(1);
  return made;
}

int main(void) {
  uint32_t sizes[3];
  while (fread(sizes, sizeof sizes[0], 3, stdin) == 3) {
    model_id* ids = malloc(sizes[0] * sizeof *ids + 1);
    char *a = take(sizes[1]), *b = take(sizes[2] == ALONE ? 0 : sizes[2]);
    size_t count = 0, second = SIZE_MAX;
    int status = sizes[2] == ALONE ? tokenizer_encode(a, sizes[1], ids, sizes[0], &count)
                                   : tokenizer_encode_pair(a, sizes[1], b, sizes[2], ids, sizes[0],
                                                           &count, &second);
    printf("%d", status);
    for (size_t i = 0; i < count; i++) {
      printf("%s %" PRIu32, i == second ? " |" : "", (uint32_t)ids[i]);
    }
    printf("\n");
    free(ids);
    free(a);
    free(b);
  }
  return 0;
}
