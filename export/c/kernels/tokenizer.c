#include "tokenizer.h"

#include <string.h>

#include "characters.h"
#include "vocabulary.h"

/* Ids in their order; those beyond `room` are only counted. */
struct tokens {
  model_id* ids;
  size_t room, count;
};

/* The word being read. A longer one than the vocabulary may have is only counted. */
struct word {
  size_t characters, size;
  uint8_t bytes[UTF8_BYTES * VOCABULARY_LONGEST_WORD];
};

static void put(struct tokens* tokens, uint32_t id) {
  if (tokens->count < tokens->room) tokens->ids[tokens->count] = (model_id)id;
  tokens->count++;
}

static uint32_t number(const uint8_t* bytes, unsigned count) {
  uint32_t made = 0;
  while (count > 0) made = made << 8 | bytes[--count];
  return made;
}

/* The length of the longest word of a trie that `text` begins with, and its id; 0 for none.
   export/c/trie.py says what a node is. */
static size_t longest(const uint8_t* node, const uint8_t* text, size_t length, uint32_t* id) {
  size_t at = 0, found = 0;
  for (;;) {
    unsigned head = node[0], label = (head & 15) + 1, wide = head >> 4 & 3;
    const uint8_t* own = node + 1 + label;
    const uint8_t* size = own + (head & 64 ? VOCABULARY_ID_BYTES : 0);
    const uint8_t* children = size + wide;
    if (label <= length - at && memcmp(node + 1, text + at, label) == 0) {
      at += label;
      if (head & 64) {
        found = at;
        *id = number(own, VOCABULARY_ID_BYTES);
      }
      if (wide == 0) return found;
      node = children;
    } else {
      if (head & 128) return found;
      node = children + number(size, wide);
    }
  }
}

/* The word's pieces, or one token of an unknown word. */
static void end_word(struct word* word, struct tokens* tokens) {
  size_t begun = tokens->count, at = 0, found = 1;
  if (word->characters > VOCABULARY_LONGEST_WORD) found = 0;
  while (found && at < word->size) {
    uint32_t id;
    found =
        longest(at ? vocabulary_pieces : vocabulary_words, word->bytes + at, word->size - at, &id);
    if (found) put(tokens, id);
    at += found;
  }
  if (!found) {
    tokens->count = begun;
    put(tokens, VOCABULARY_UNKNOWN);
  }
  word->characters = word->size = 0;
}

static void read_character(uint32_t code, struct word* word, struct tokens* tokens) {
  struct character read = character_read(code);
  if (read.kind == CHARACTER_DROPPED) return;
  if (read.kind != CHARACTER_LETTERS && word->characters) end_word(word, tokens);
  if (read.kind == CHARACTER_SPACE) return;
  for (size_t i = 0; i < read.count; i++) {
    if (word->characters++ < VOCABULARY_LONGEST_WORD) {
      word->size += utf8_write(read.letters[i], word->bytes + word->size);
    }
  }
  if (read.kind == CHARACTER_ISOLATED) end_word(word, tokens);
}

/* All tokens of a text, the special ones around it excluded. */
static int read_text(const char* text, size_t length, struct tokens* tokens) {
  const uint8_t* bytes = (const uint8_t*)text;
  struct word word;
  word.characters = word.size = 0;
  for (size_t at = 0, read; at < length; at += read) {
    uint32_t code; /* or an id */
    read = longest(vocabulary_added, bytes + at, length - at, &code);
    if (read) {
      if (word.characters) end_word(&word, tokens);
      put(tokens, code);
    } else {
      read = utf8_read(bytes + at, length - at, &code);
      if (!read) return TOKENIZER_UTF8;
      read_character(code, &word, tokens);
    }
  }
  if (word.characters) end_word(&word, tokens);
  return TOKENIZER_OK;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Shortens a, b or both until `room` tokens remain: the longer one while that is enough, else both
   to half, the odd token to the longer one, to b when they are equal. */
static void cut(size_t* a, size_t* b, size_t room) {
  if (*a <= room && *b <= room - *a) return;
  size_t shorter = least(room / 2, least(*a, *b)), longer = room - shorter;
  if (*a > *b) {
    *a = longer;
    *b = shorter;
  } else {
    *a = shorter;
    *b = longer;
  }
}

int tokenizer_encode(const char* text, size_t length, model_id* ids, size_t capacity,
                     size_t* count) {
  if (!text || !ids || !count) return TOKENIZER_NULL;
  if (capacity < 3) return TOKENIZER_CAPACITY;
  struct tokens tokens = {ids + 1, capacity - 2, 0};
  int status = read_text(text, length, &tokens);
  if (status != TOKENIZER_OK) return status;
  size_t kept = least(tokens.count, tokens.room);
  ids[0] = VOCABULARY_FIRST;
  ids[1 + kept] = VOCABULARY_LAST;
  *count = kept + 2;
  return TOKENIZER_OK;
}

int tokenizer_encode_pair(const char* text_a, size_t length_a, const char* text_b, size_t length_b,
                          model_id* ids, size_t capacity, size_t* count, size_t* second) {
  if (!text_a || !text_b || !ids || !count || !second) return TOKENIZER_NULL;
  if (capacity < 5) return TOKENIZER_CAPACITY;
  size_t room = capacity - 3;
  struct tokens a = {ids + 1, room, 0}, b = {NULL, 0, 0};
  int status = read_text(text_a, length_a, &a);
  if (status == TOKENIZER_OK) status = read_text(text_b, length_b, &b); /* its length */
  if (status != TOKENIZER_OK) return status;
  size_t kept_a = a.count, kept_b = b.count;
  cut(&kept_a, &kept_b, room);
  struct tokens rest = {ids + kept_a + 2, kept_b, 0};
  read_text(text_b, length_b, &rest);
  ids[0] = VOCABULARY_FIRST;
  ids[kept_a + 1] = VOCABULARY_LAST;
  ids[kept_a + kept_b + 2] = VOCABULARY_LAST;
  *count = kept_a + kept_b + 3;
  *second = kept_a + 2;
  return TOKENIZER_OK;
}
