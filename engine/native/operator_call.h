// What an operator of the domain ai.inhibi is, and one run of its node: reading and checking the
// inputs, making the output, sharing the work among onnxruntime's threads.
//
// A check that fails keeps its message; every later call then does nothing and gives NULL, so that
// an operator looks at failed() once, before it touches any data.
#pragma once

#include <atomic>

#include "kernels.h"
#include "onnxruntime_api.h"

namespace inhibi {

constexpr size_t max_inputs = 10;

struct Input {
  const char* name;
  ONNXTensorElementDataType type;
};

class Call;

struct Operator : OrtCustomOp {
  const char* name;
  Input inputs[max_inputs];
  size_t input_count;
  bool attention, flags;  // has the attribute heads; has the attributes centred and signed
  void (*run)(Call& call);
};

struct Tensor {
  const void* data;
  size_t rank;
  int64_t dims[2];  // of a rank up to 2
};

// A node of a session: its attributes, and the inputs that are initializers, which are read once.
struct Node {
  const Operator* op;
  const OrtApi* api;
  const InhibiKernels* kernels;
  int32_t lo, hi, heads, centred, is_signed;
  bool constant[max_inputs];
  Tensor tensors[max_inputs];
  mutable std::atomic<bool> passed[max_inputs];  // initializers whose values were checked
};

class Call {
 public:
  Call(const Node& a_node, OrtKernelContext* context)
      : node(a_node), api_(*a_node.api), context_(context) {}

  const Node& node;

  bool failed() const { return status_ != nullptr; }
  OrtStatus* status() const { return status_; }

  // Keeps the first message: "AddLayerNorm: ...", at most 200 characters.
  __attribute__((format(printf, 2, 3))) void fail(const char* format, ...);

  // An input of any shape of this rank; with rank 0 where the call has failed.
  Tensor read(size_t index, size_t rank);

  // An input of the shape [length] or [rows, columns].
  template <typename T>
  const T* vector(size_t index, size_t length) {
    return static_cast<const T*>(shaped(index, 1, length, 1));
  }
  template <typename T>
  const T* matrix(size_t index, size_t rows, size_t columns) {
    return static_cast<const T*>(shaped(index, 2, rows, columns));
  }

  // The same, whose values must lie in lo..hi, bounds that the input `with` may decide.
  template <typename T>
  const T* vector_in(size_t index, size_t length, int64_t lo, int64_t hi) {
    return vector_in<T>(index, length, lo, hi, index);
  }
  template <typename T>
  const T* vector_in(size_t index, size_t length, int64_t lo, int64_t hi, size_t with) {
    const T* values = vector<T>(index, length);
    const T least = static_cast<T>(lo), most = static_cast<T>(hi);
    check(
        index,
        [=] {
          bool inside = true;  // without an early end, which vectorizes
          for (size_t i = 0; i < length; ++i) inside &= (values[i] >= least) & (values[i] <= most);
          return inside;
        },
        lo, hi, with);
    return values;
  }

  // Calls inside() and fails where it says no; for initializers once, for others in each run.
  template <typename F>
  void check(size_t index, F inside, int64_t lo, int64_t hi, size_t with) {
    if (failed() || node.passed[index].load(std::memory_order_relaxed)) return;
    if (!inside()) {
      return fail("%s has a value outside %lld..%lld", node.op->inputs[index].name,
                  static_cast<long long>(lo), static_cast<long long>(hi));
    }
    if (node.constant[index] && node.constant[with]) {
      node.passed[index].store(true, std::memory_order_relaxed);
    }
  }

  // The output uint8 [rows, columns].
  uint8_t* output(size_t rows, size_t columns);

  // function(task) for tasks 0..tasks-1, in any order on several threads.
  template <typename F>
  void parallel(size_t tasks, F function) {
    if (tasks == 1) return function(size_t{0});
    keep(api_.KernelContext_ParallelFor(
        context_, [](void* data, size_t task) { (*static_cast<F*>(data))(task); }, tasks, 0,
        &function));
  }

  // function(first, count) for all rows, cut into tasks of about `values` values: multiples of 8
  // rows, which kernels take together.
  template <typename F>
  void rows(size_t rows, size_t columns, size_t values, F function) {
    if (rows == 0 || columns == 0) return;
    const size_t most = (values / columns + 8) / 8 * 8;
    parallel((rows + most - 1) / most, [=](size_t task) {
      const size_t first = task * most;
      function(first, rows - first < most ? rows - first : most);
    });
  }

 private:
  const void* shaped(size_t index, size_t rank, size_t rows, size_t columns);
  void keep(OrtStatus* status);

  const OrtApi& api_;
  OrtKernelContext* context_;
  OrtStatus* status_ = nullptr;
};

// Reads data and shape of a value; NULL or what went wrong.
OrtStatus* read_tensor(const OrtApi& api, const OrtValue* value, Tensor* tensor);

// "Name: message" as a status.
OrtStatus* failure(const OrtApi& api, const char* name, const char* message);

}  // namespace inhibi
