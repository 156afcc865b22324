#include "characters.h"

#include "vocabulary.h"

/* What `what` of a run has in its lower 3 bits: Kind of export/c/characters.py. From SAME on, its
   upper bits are a target, and `where` has the length. */
enum run_kind { DROPPED, SPACE, ISOLATED, HANGUL, SAME, SHIFTED, EXPANDED };

size_t utf8_read(const uint8_t* text, size_t length, uint32_t* code) {
  static const uint32_t least[UTF8_BYTES] = {0, 0x80, 0x800, 0x10000};
  size_t following;
  uint32_t made;
  if (length == 0) return 0;
  made = text[0];
  if (made < 0x80) {
    following = 0;
  } else if (made >= 0xC0 && made < 0xF8) {
    following = made < 0xE0 ? 1 : made < 0xF0 ? 2 : 3;
    made &= 0x3Fu >> following;
  } else {
    return 0;
  }
  if (following >= length) return 0;
  for (size_t i = 1; i <= following; i++) {
    if ((text[i] & 0xC0) != 0x80) return 0;
    made = made << 6 | (text[i] & 0x3Fu);
  }
  if (made < least[following] || made > 0x10FFFF || (made >= 0xD800 && made < 0xE000)) return 0;
  *code = made;
  return following + 1;
}

size_t utf8_write(uint32_t code, uint8_t* text) {
  static const uint8_t lead[UTF8_BYTES] = {0, 0xC0, 0xE0, 0xF0};
  size_t following = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  for (size_t i = following; i > 0; i--) {
    text[i] = (uint8_t)(0x80 | (code & 0x3F));
    code >>= 6;
  }
  text[0] = (uint8_t)(lead[following] | code);
  return following + 1;
}

/* The run that has `code`, or NULL: a letter that stays as it is. */
static const struct vocabulary_run* find(uint32_t code) {
  size_t low = 0, high = VOCABULARY_RUNS; /* the last run from `code` or before is below `high` */
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (vocabulary_runs[middle].where >> 11 <= code) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return NULL;
  const struct vocabulary_run* run = &vocabulary_runs[low - 1];
  uint32_t last = (run->what & 7) < SAME ? run->what >> 3 : run->where & 2047;
  return code - (run->where >> 11) <= last ? run : NULL;
}

/* Unicode's arithmetic for the syllable U+AC00 + 588*lead + 28*vowel + tail, tail 0 being none. */
static struct character syllable(uint32_t code) {
  uint32_t index = code - 0xAC00, tail = index % 28;
  struct character made = {CHARACTER_LETTERS, tail ? 3 : 2, {0, 0, 0}};
  made.letters[0] = 0x1100 + index / 588;
  made.letters[1] = 0x1161 + index % 588 / 28;
  made.letters[2] = 0x11A7 + tail;
  return made;
}

/* The letters of an expansion end with 0; there are 2 or 3. */
static struct character expansion(const uint32_t* letters) {
  struct character made = {CHARACTER_LETTERS, 0, {0, 0, 0}};
  for (; letters[made.count]; made.count++) made.letters[made.count] = letters[made.count];
  return made;
}

static struct character letter(uint32_t code, enum character_kind kind) {
  struct character made = {kind, 1, {code, 0, 0}};
  return made;
}

/* What a code point becomes stays as it is, but may be isolated. */
static struct character mapped(uint32_t code) {
  const struct vocabulary_run* run = find(code);
  return letter(code, run && (run->what & 7) == ISOLATED ? CHARACTER_ISOLATED : CHARACTER_LETTERS);
}

struct character character_read(uint32_t code) {
  const struct vocabulary_run* run = find(code);
  if (!run) return letter(code, CHARACTER_LETTERS);
  uint32_t target = run->what >> 3;
  switch (run->what & 7) {
    case DROPPED:
      return letter(code, CHARACTER_DROPPED);
    case SPACE:
      return letter(code, CHARACTER_SPACE);
    case ISOLATED:
      return letter(code, CHARACTER_ISOLATED);
    case HANGUL:
      return syllable(code);
    case SAME:
      return mapped(target);
    case SHIFTED:
      return mapped(target + code - (run->where >> 11));
    default:
      return expansion(vocabulary_expansions + target);
  }
}
