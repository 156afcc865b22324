/* UTF-8, and what the tokenizer makes of one code point. */
#ifndef CHARACTERS_H
#define CHARACTERS_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_BYTES 4

enum character_kind {
  CHARACTER_DROPPED,
  CHARACTER_SPACE,    /* ends a word */
  CHARACTER_ISOLATED, /* its one letter is a word */
  CHARACTER_LETTERS   /* `count` of them, 1 to 3 */
};

struct character {
  enum character_kind kind;
  size_t count;
  uint32_t letters[3];
};

/* The code point that `text`, of `length` bytes, begins with, and its 1 to 4 bytes; 0 where that is
   no UTF-8: cut off, longer than needed, a surrogate, or beyond U+10FFFF. */
size_t utf8_read(const uint8_t* text, size_t length, uint32_t* code);

/* Writes a code point that utf8_read gave. Returns its 1 to 4 bytes. */
size_t utf8_write(uint32_t code, uint8_t* text);

struct character character_read(uint32_t code);

#endif
