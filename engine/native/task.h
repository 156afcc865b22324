// The part of an attention that one thread does: one head of one sentence, some of its queries.
#pragma once

#include <algorithm>
#include <cstdlib>

#include "attention.h"
#include "pack.h"

namespace inhibi {

// Queries of a task, each of which packs all keys and values, and of one requantization.
constexpr size_t task_queries = 1024;
constexpr size_t batch_queries = 64;

struct Task {
  size_t head, start, n;  // the sentence's tokens are start .. start+n-1
  size_t first, end;      // the task's queries, counted from the sentence's start
  size_t d, blocks, width;
};

inline size_t length_of(const InhibiAttention& a, size_t sentence) {
  return static_cast<size_t>(a.offsets[sentence + 1] - a.offsets[sentence]);
}

// Tasks of one head; shorter sentences than the longest leave some of them empty.
inline size_t parts(const InhibiAttention& a) {
  return (a.longest + task_queries - 1) / task_queries;
}

inline Task find(const InhibiAttention& a, size_t task) {
  const size_t sentence = task / (a.heads * parts(a));
  Task t;
  t.start = static_cast<size_t>(a.offsets[sentence]);
  t.n = length_of(a, sentence);
  t.head = task % a.heads;
  t.first = std::min(t.n, task / a.heads % parts(a) * task_queries);
  t.end = std::min(t.n, t.first + task_queries);
  t.d = a.hidden / a.heads;
  t.blocks = (t.n + block_keys - 1) / block_keys;
  t.width = padded(t.d);
  return t;
}

// The task's part of Q, K or V (0, 1, 2) from its sentence's first token on.
inline const uint8_t* part(const InhibiAttention& a, const Task& t, size_t which) {
  return a.qkv + (t.start * 3 + which) * a.hidden + t.head * t.d;
}

// One allocation for a task, cut into pieces that start at multiples of 64 bytes.
class Scratch {
 public:
  explicit Scratch(size_t bytes) {
    if (posix_memalign(&memory_, 64, bytes)) memory_ = nullptr;
  }
  ~Scratch() { std::free(memory_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  bool failed() const { return memory_ == nullptr; }

  template <typename T>
  T* take(size_t count) {
    T* piece = reinterpret_cast<T*>(static_cast<char*>(memory_) + used_);
    used_ += rounded(count * sizeof(T));
    return piece;
  }

 private:
  static size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

  void* memory_ = nullptr;
  size_t used_ = 0;
};

}  // namespace inhibi
