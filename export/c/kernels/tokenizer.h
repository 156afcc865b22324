/* From text to token ids: BERT's WordPiece with the tables of vocabulary.c.

   Nothing is allocated; the stack holds one word. Every text is read to its end, however many of
   its tokens are kept: time is linear in its bytes. */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include <stddef.h>

#include "model_id.h"

#ifdef __cplusplus
extern "C" {
#endif

enum tokenizer_status {
  TOKENIZER_OK = 0,
  TOKENIZER_NULL = -1,     /* a pointer is NULL */
  TOKENIZER_CAPACITY = -2, /* room for fewer tokens than the least below */
  TOKENIZER_UTF8 = -3      /* a text is not valid UTF-8; `ids` may be overwritten */
};

/* A text of `length` bytes of UTF-8, NUL among them or not, as [CLS] text [SEP]: `*count` ids, at
   most `capacity`, which is 3 or more. What is too much is cut from the text's end. */
int tokenizer_encode(const char* text, size_t length, model_id* ids, size_t capacity,
                     size_t* count);

/* Two texts as [CLS] a [SEP] b [SEP]; `capacity` is 5 or more. The longer one is cut first. Ids
   before `*second` are of token type 0, from there on of type 1. */
int tokenizer_encode_pair(const char* text_a, size_t length_a, const char* text_b, size_t length_b,
                          model_id* ids, size_t capacity, size_t* count, size_t* second);

#ifdef __cplusplus
}
#endif

#endif
