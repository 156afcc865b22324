// Registers the operators with onnxruntime, which calls RegisterCustomOps for each session.
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <new>

#include "operator_call.h"
#include "operators.h"

namespace inhibi {
namespace {

constexpr ONNXTensorElementDataType u8 = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,
                                    i8 = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,
                                    u16 = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16,
                                    i32 = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
                                    i64 = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;

const Operator& self(const OrtCustomOp* op) { return *static_cast<const Operator*>(op); }

// An attribute of the node, least..most, or what is wrong with it.
OrtStatus* attribute(const Node& node, const OrtKernelInfo* info, const char* name, int64_t least,
                     int64_t most, int32_t* out) {
  int64_t value = 0;
  if (OrtStatus* status = node.api->KernelInfoGetAttribute_int64(info, name, &value)) return status;
  *out = static_cast<int32_t>(value);
  if (least <= value && value <= most) return nullptr;
  char message[100];
  snprintf(message, sizeof message, "the attribute %s is %lld, outside %lld..%lld", name,
           static_cast<long long>(value), static_cast<long long>(least),
           static_cast<long long>(most));
  return failure(*node.api, node.op->name, message);
}

OrtStatus* fill(Node& node, const OrtKernelInfo* info) {
  if (OrtStatus* status = attribute(node, info, "lo", -127, 127, &node.lo)) return status;
  if (OrtStatus* status = attribute(node, info, "hi", node.lo, 127, &node.hi)) return status;
  if (node.op->attention) {
    if (OrtStatus* status = attribute(node, info, "heads", 1, 1 << 20, &node.heads)) return status;
  }
  if (node.op->flags) {
    if (OrtStatus* status = attribute(node, info, "centred", 0, 1, &node.centred)) return status;
    if (OrtStatus* status = attribute(node, info, "signed", 0, 1, &node.is_signed)) return status;
  }
  for (size_t i = 0; i < node.op->input_count; ++i) {
    int constant = 0;
    const OrtValue* value = nullptr;
    OrtStatus* status = node.api->KernelInfoGetConstantInput_tensor(info, i, &constant, &value);
    if (!status && constant && value) {
      status = read_tensor(*node.api, value, &node.tensors[i]);
      node.constant[i] = true;
    }
    if (status) return status;
  }
  return nullptr;
}

OrtStatus* no_kernels(const OrtApi& api) {
  char message[200];
  snprintf(message, sizeof message,
           "INHIBI_ISA=%.40s is not known or not available here: choose %s", getenv("INHIBI_ISA"),
           inhibi_isas());
  return api.CreateStatus(ORT_INVALID_ARGUMENT, message);
}

OrtStatus* create(const OrtCustomOp* op, const OrtApi* api, const OrtKernelInfo* info,
                  void** kernel) {
  Node* node = new (std::nothrow) Node();
  if (!node) return failure(*api, self(op).name, "there is no memory for the node");
  node->op = &self(op);
  node->api = api;
  node->kernels = inhibi_kernels(getenv("INHIBI_ISA"));
  OrtStatus* status = node->kernels ? fill(*node, info) : no_kernels(*api);
  if (status) {
    delete node;
    return status;
  }
  *kernel = node;
  return nullptr;
}

OrtStatus* compute(void* kernel, OrtKernelContext* context) {
  Call call(*static_cast<const Node*>(kernel), context);
  call.node.op->run(call);
  return call.status();
}

struct Parameters {
  const char* name;
  void (*run)(Call&);
  std::initializer_list<Input> inputs;
  bool attention, flags;
};

Operator make(const Parameters& parameters) {
  Operator op = {};
  op.version = ort_api_version;
  op.GetName = [](const OrtCustomOp* op) { return self(op).name; };
  op.GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };
  op.GetInputType = [](const OrtCustomOp* op, size_t i) { return self(op).inputs[i].type; };
  op.GetInputTypeCount = [](const OrtCustomOp* op) { return self(op).input_count; };
  op.GetOutputType = [](const OrtCustomOp*, size_t) { return u8; };
  op.GetOutputTypeCount = [](const OrtCustomOp*) { return size_t{1}; };
  op.KernelDestroy = [](void* kernel) { delete static_cast<Node*>(kernel); };
  op.GetInputCharacteristic =
      op.GetOutputCharacteristic = [](const OrtCustomOp*, size_t) { return INPUT_OUTPUT_REQUIRED; };
  op.GetInputMemoryType = [](const OrtCustomOp*, size_t) { return OrtMemTypeDefault; };
  op.GetVariadicInputMinArity = op.GetVariadicOutputMinArity = [](const OrtCustomOp*) { return 1; };
  op.GetVariadicInputHomogeneity =
      op.GetVariadicOutputHomogeneity = [](const OrtCustomOp*) { return 1; };
  op.CreateKernelV2 = create;
  op.KernelComputeV2 = compute;
  op.GetStartVersion = op.GetEndVersion = [](const OrtCustomOp*) { return 1; };
  op.name = parameters.name;
  op.run = parameters.run;
  op.attention = parameters.attention;
  op.flags = parameters.flags;
  for (const Input& input : parameters.inputs) op.inputs[op.input_count++] = input;
  return op;
}

constexpr Input bias = {"bias", i32}, multiplier = {"multiplier", i32}, shift = {"shift", i32},
                weight = {"weight", i32}, norm_bias = {"norm_bias", i64},
                norm_shift = {"norm_shift", i32}, acc = {"acc", i32}, qkv = {"qkv", u8},
                offsets = {"offsets", i64}, score_multiplier = {"score_multiplier", i32},
                score_offset = {"score_offset", i32}, score_shift = {"score_shift", i32};

// The domain with its operators, which every session of the process shares.
OrtStatus* make_domain(const OrtApi& api, OrtCustomOpDomain** domain) {
  static const Operator operators[] = {
      make({"Requantize", requantize, {acc, bias, multiplier, shift}, false, false}),
      make({"RequantizeLookup",
            requantize_lookup,
            {acc, bias, multiplier, shift, {"table", u8}, {"table_index", u8}},
            false,
            false}),
      make({"AddLayerNorm",
            add_layer_norm,
            {acc,
             bias,
             multiplier,
             shift,
             {"residual", u8},
             {"residual_multiplier", i32},
             weight,
             norm_bias,
             norm_shift},
            false,
            false}),
      make({"EmbedLayerNorm",
            embed_layer_norm,
            {{"input_ids", i64},
             {"position_ids", i64},
             {"token_type_ids", i64},
             {"word", i8},
             {"position", i8},
             {"token_type", i8},
             {"table_multiplier", i32},
             weight,
             norm_bias,
             norm_shift},
            false,
            false}),
      make({"InhibitorAttention",
            inhibitor_attention,
            {qkv,
             offsets,
             score_multiplier,
             score_offset,
             score_shift,
             multiplier,
             shift,
             {"length", i32}},
            true,
            true}),
      make({"DotProductAttention",
            dot_product_attention,
            {qkv,
             offsets,
             score_multiplier,
             score_offset,
             score_shift,
             multiplier,
             shift,
             {"table", u16}},
            true,
            false}),
  };
  if (OrtStatus* status = api.CreateCustomOpDomain("ai.inhibi", domain)) return status;
  for (const Operator& op : operators) {
    if (OrtStatus* status = api.CustomOpDomain_Add(*domain, &op)) {
      api.ReleaseCustomOpDomain(*domain);
      return status;
    }
  }
  return nullptr;
}

}  // namespace
}  // namespace inhibi

// What onnxruntime looks for in a library of operators. An error names what to change.
extern "C" __attribute__((visibility("default"))) OrtStatus* RegisterCustomOps(
    OrtSessionOptions* options, const OrtApiBase* base) {
  const OrtApi* api = base->GetApi(ort_api_version);
  if (!api) {  // CreateStatus has its place in every version
    return base->GetApi(1)->CreateStatus(ORT_FAIL, "inhibi's operators need onnxruntime 1.17");
  }
  if (!inhibi_kernels(getenv("INHIBI_ISA"))) return inhibi::no_kernels(*api);
  static OrtCustomOpDomain* domain = nullptr;
  static OrtStatus* const failed = inhibi::make_domain(*api, &domain);
  if (failed) {
    return api->CreateStatus(api->GetErrorCode(failed), api->GetErrorMessage(failed));
  }
  return api->AddCustomOpDomain(options, domain);
}
