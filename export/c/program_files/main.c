/* Reads texts, a line each (a pair has a tab between its texts), and prints the answers. */
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "tokenizer.h"

static int encode(char* line, model_id* ids, size_t* n, size_t* second) {
#if MODEL_TEXTS == 2
  char* const tab = strchr(line, '\t');
  if (!tab) {
    fprintf(stderr, "a pair of texts needs a tab between them\n");
    return TOKENIZER_NULL;
  }
  *tab = 0;
  return tokenizer_encode_pair(line, strlen(line), tab + 1, strlen(tab + 1), ids, MODEL_MAX_TOKENS,
                               n, second);
#else
  (void)second;
  return tokenizer_encode(line, strlen(line), ids, MODEL_MAX_TOKENS, n);
#endif
}

int main(void) {
  static char line[65536];
  while (fgets(line, sizeof line, stdin)) {
    model_id ids[MODEL_MAX_TOKENS];
    MODEL_OUTPUT output[MODEL_OUTPUTS];
    size_t n, second;
    if (!strchr(line, '\n') && !feof(stdin)) {
      fprintf(stderr, "a line is longer than %u bytes\n", (unsigned)sizeof line - 2);
      return 1;
    }
    line[strcspn(line, "\r\n")] = 0;
    int status = encode(line, ids, &n, &second);
    if (status != TOKENIZER_OK) {
      fprintf(stderr, "the text cannot be encoded: status %d\n", status);
      return 1;
    }
#if MODEL_TEXTS == 2
    status = model_run_pair(ids, n, second, output);
#else
    status = model_run(ids, n, output);
#endif
    if (status != MODEL_OK) {
      fprintf(stderr, "the model cannot run: status %d\n", status);
      return 1;
    }
    for (size_t i = 0; i < MODEL_OUTPUTS; ++i) printf("%s%ld", i ? " " : "", (long)output[i]);
#ifdef MODEL_LABELS
    size_t best = 0;
    for (size_t i = 1; i < MODEL_OUTPUTS; ++i) best = output[i] > output[best] ? i : best;
    printf("\t%s", model_labels[best]);
#endif
    printf("\n");
  }
  return fflush(stdout) || ferror(stdout);
}
