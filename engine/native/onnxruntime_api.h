// The part of onnxruntime's C interface that the operators use, for API version 17.
//
// Wheels of onnxruntime carry no C headers. The interface only ever grows at its end, so a library
// for version 17 runs in onnxruntime 1.17 and all later ones. Names and order are those of
// onnxruntime_c_api.h; entries that are not used stand as gaps, and each entry's index is asserted.
#pragma once

#include <cstddef>
#include <cstdint>

constexpr uint32_t ort_api_version = 17;

struct OrtStatus;  // NULL is success
struct OrtSessionOptions;
struct OrtCustomOp;
struct OrtCustomOpDomain;
struct OrtKernelInfo;
struct OrtKernelContext;
struct OrtShapeInferContext;
struct OrtTensorTypeAndShapeInfo;
struct OrtValue;

enum OrtErrorCode { ORT_OK, ORT_FAIL, ORT_INVALID_ARGUMENT };
enum OrtMemType { OrtMemTypeDefault = 0 };
enum OrtCustomOpInputOutputCharacteristic { INPUT_OUTPUT_REQUIRED = 0 };
enum ONNXTensorElementDataType {
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED = 0,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 = 2,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8 = 3,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16 = 4,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32 = 6,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 = 7,
};

struct OrtApi {
  OrtStatus* (*CreateStatus)(OrtErrorCode code, const char* message);
  OrtErrorCode (*GetErrorCode)(const OrtStatus* status);
  const char* (*GetErrorMessage)(const OrtStatus* status);
  void* gap_3[23];
  OrtStatus* (*CreateCustomOpDomain)(const char* domain, OrtCustomOpDomain** out);
  OrtStatus* (*CustomOpDomain_Add)(OrtCustomOpDomain* domain, const OrtCustomOp* op);
  OrtStatus* (*AddCustomOpDomain)(OrtSessionOptions* options, OrtCustomOpDomain* domain);
  void* gap_29[22];
  OrtStatus* (*GetTensorMutableData)(OrtValue* value, void** out);
  void* gap_52[9];
  OrtStatus* (*GetDimensionsCount)(const OrtTensorTypeAndShapeInfo* info, size_t* out);
  OrtStatus* (*GetDimensions)(const OrtTensorTypeAndShapeInfo* info, int64_t* out, size_t count);
  void* gap_63[2];
  OrtStatus* (*GetTensorTypeAndShape)(const OrtValue* value, OrtTensorTypeAndShapeInfo** out);
  void* gap_66[20];
  OrtStatus* (*KernelInfoGetAttribute_int64)(const OrtKernelInfo* info, const char* name,
                                             int64_t* out);
  void* gap_87[3];
  OrtStatus* (*KernelContext_GetInput)(const OrtKernelContext* context, size_t index,
                                       const OrtValue** out);
  OrtStatus* (*KernelContext_GetOutput)(OrtKernelContext* context, size_t index,
                                        const int64_t* dims, size_t count, OrtValue** out);
  void* gap_92[1];
  void (*ReleaseStatus)(OrtStatus* status);
  void* gap_94[5];
  void (*ReleaseTensorTypeAndShapeInfo)(OrtTensorTypeAndShapeInfo* info);
  void* gap_100[1];
  void (*ReleaseCustomOpDomain)(OrtCustomOpDomain* domain);
  void* gap_102[147];
  OrtStatus* (*KernelInfoGetConstantInput_tensor)(const OrtKernelInfo* info, size_t index,
                                                  int* is_constant, const OrtValue** out);
  void* gap_250[24];
  OrtStatus* (*KernelContext_ParallelFor)(const OrtKernelContext* context,
                                          void (*function)(void* data, size_t task), size_t tasks,
                                          size_t batches, void* data);
};

#define INHIBI_INDEX(entry) (offsetof(OrtApi, entry) / sizeof(void*))
static_assert(INHIBI_INDEX(CreateStatus) == 0, "");
static_assert(INHIBI_INDEX(GetErrorCode) == 1, "");
static_assert(INHIBI_INDEX(GetErrorMessage) == 2, "");
static_assert(INHIBI_INDEX(CreateCustomOpDomain) == 26, "");
static_assert(INHIBI_INDEX(CustomOpDomain_Add) == 27, "");
static_assert(INHIBI_INDEX(AddCustomOpDomain) == 28, "");
static_assert(INHIBI_INDEX(GetTensorMutableData) == 51, "");
static_assert(INHIBI_INDEX(GetDimensionsCount) == 61, "");
static_assert(INHIBI_INDEX(GetDimensions) == 62, "");
static_assert(INHIBI_INDEX(GetTensorTypeAndShape) == 65, "");
static_assert(INHIBI_INDEX(KernelInfoGetAttribute_int64) == 86, "");
static_assert(INHIBI_INDEX(KernelContext_GetInput) == 90, "");
static_assert(INHIBI_INDEX(KernelContext_GetOutput) == 91, "");
static_assert(INHIBI_INDEX(ReleaseStatus) == 93, "");
static_assert(INHIBI_INDEX(ReleaseTensorTypeAndShapeInfo) == 99, "");
static_assert(INHIBI_INDEX(ReleaseCustomOpDomain) == 101, "");
static_assert(INHIBI_INDEX(KernelInfoGetConstantInput_tensor) == 249, "");
static_assert(INHIBI_INDEX(KernelContext_ParallelFor) == 274, "");
#undef INHIBI_INDEX

struct OrtApiBase {
  const OrtApi* (*GetApi)(uint32_t version);  // NULL where the runtime is older than that
  const char* (*GetVersionString)();
};

// What describes an operator, and makes and runs its kernels. Lives as long as any session.
struct OrtCustomOp {
  uint32_t version;
  void* (*CreateKernel)(const OrtCustomOp* op, const OrtApi* api, const OrtKernelInfo* info);
  const char* (*GetName)(const OrtCustomOp* op);
  const char* (*GetExecutionProviderType)(const OrtCustomOp* op);
  ONNXTensorElementDataType (*GetInputType)(const OrtCustomOp* op, size_t index);
  size_t (*GetInputTypeCount)(const OrtCustomOp* op);
  ONNXTensorElementDataType (*GetOutputType)(const OrtCustomOp* op, size_t index);
  size_t (*GetOutputTypeCount)(const OrtCustomOp* op);
  void (*KernelCompute)(void* kernel, OrtKernelContext* context);
  void (*KernelDestroy)(void* kernel);
  OrtCustomOpInputOutputCharacteristic (*GetInputCharacteristic)(const OrtCustomOp*, size_t index);
  OrtCustomOpInputOutputCharacteristic (*GetOutputCharacteristic)(const OrtCustomOp*, size_t index);
  OrtMemType (*GetInputMemoryType)(const OrtCustomOp* op, size_t index);
  int (*GetVariadicInputMinArity)(const OrtCustomOp* op);
  int (*GetVariadicInputHomogeneity)(const OrtCustomOp* op);
  int (*GetVariadicOutputMinArity)(const OrtCustomOp* op);
  int (*GetVariadicOutputHomogeneity)(const OrtCustomOp* op);
  // From version 16 on: in place of CreateKernel and KernelCompute where they are not NULL.
  OrtStatus* (*CreateKernelV2)(const OrtCustomOp* op, const OrtApi* api, const OrtKernelInfo* info,
                               void** kernel);
  OrtStatus* (*KernelComputeV2)(void* kernel, OrtKernelContext* context);
  // From version 17 on; may be NULL.
  OrtStatus* (*InferOutputShapeFn)(const OrtCustomOp* op, OrtShapeInferContext* context);
  int (*GetStartVersion)(const OrtCustomOp* op);
  int (*GetEndVersion)(const OrtCustomOp* op);
};
