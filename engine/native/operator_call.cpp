#include "operator_call.h"

#include <cstdarg>
#include <cstdio>

namespace inhibi {

OrtStatus* failure(const OrtApi& api, const char* name, const char* message) {
  char line[256];
  snprintf(line, sizeof line, "%s: %s", name, message);
  return api.CreateStatus(ORT_INVALID_ARGUMENT, line);
}

OrtStatus* read_tensor(const OrtApi& api, const OrtValue* value, Tensor* tensor) {
  OrtTensorTypeAndShapeInfo* info = nullptr;
  OrtStatus* status = api.GetTensorTypeAndShape(value, &info);
  if (status) return status;
  status = api.GetDimensionsCount(info, &tensor->rank);
  if (!status && tensor->rank <= 2) status = api.GetDimensions(info, tensor->dims, tensor->rank);
  api.ReleaseTensorTypeAndShapeInfo(info);
  if (status) return status;
  void* data = nullptr;
  status = api.GetTensorMutableData(const_cast<OrtValue*>(value), &data);
  tensor->data = data;
  return status;
}

void Call::fail(const char* format, ...) {
  if (failed()) return;
  char message[200];
  va_list values;
  va_start(values, format);
  vsnprintf(message, sizeof message, format, values);
  va_end(values);
  status_ = failure(api_, node.op->name, message);
}

void Call::keep(OrtStatus* status) {
  if (failed() && status) {
    api_.ReleaseStatus(status);
  } else if (status) {
    status_ = status;
  }
}

Tensor Call::read(size_t index, size_t rank) {
  Tensor tensor = {nullptr, 0, {0, 0}};
  if (failed()) return tensor;
  if (node.constant[index]) {
    tensor = node.tensors[index];
  } else {
    const OrtValue* value = nullptr;
    keep(api_.KernelContext_GetInput(context_, index, &value));
    if (!failed() && !value) fail("the input %s is missing", node.op->inputs[index].name);
    if (!failed()) keep(read_tensor(api_, value, &tensor));
  }
  if (!failed() && tensor.rank != rank) {
    fail("%s has %zu dimensions, not %zu", node.op->inputs[index].name, tensor.rank, rank);
  }
  if (failed()) tensor = {nullptr, 0, {0, 0}};
  return tensor;
}

const void* Call::shaped(size_t index, size_t rank, size_t rows, size_t columns) {
  const Tensor tensor = read(index, rank);
  if (failed()) return nullptr;
  const size_t given_rows = static_cast<size_t>(tensor.dims[0]);
  const size_t given_columns = rank == 2 ? static_cast<size_t>(tensor.dims[1]) : 1;
  if (given_rows == rows && given_columns == columns) return tensor.data;
  const char* name = node.op->inputs[index].name;
  if (rank == 1) {
    fail("%s has %zu values, not %zu", name, given_rows, rows);
  } else {
    fail("%s is %zu x %zu, not %zu x %zu", name, given_rows, given_columns, rows, columns);
  }
  return nullptr;
}

uint8_t* Call::output(size_t rows, size_t columns) {
  if (failed()) return nullptr;
  const int64_t dims[2] = {static_cast<int64_t>(rows), static_cast<int64_t>(columns)};
  OrtValue* value = nullptr;
  void* data = nullptr;
  keep(api_.KernelContext_GetOutput(context_, 0, dims, 2, &value));
  if (!failed()) keep(api_.GetTensorMutableData(value, &data));
  return static_cast<uint8_t*>(data);
}

}  // namespace inhibi
