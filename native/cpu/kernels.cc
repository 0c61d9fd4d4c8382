// Every kernel, compiled as one unit per instruction set: binding.gyp sets RF_NS, RF_LANES and the compiler's target.

#include "activations.cc"
#include "cast.cc"
#include "elementwise.cc"
#include "gather.cc"
#include "reduce.cc"
#include "slice.cc"
#include "softmax.cc"
#include "sum.cc"
#include "transpose.cc"
#if __has_include("matmul.cc")
#include "matmul.cc"
#endif
#if __has_include("linear.cc")
#include "linear.cc"
#endif
#if __has_include("attention.cc")
#include "attention.cc"
#endif
#if __has_include("layer_norm_modulate.cc")
#include "layer_norm_modulate.cc"
#endif
#if __has_include("gated_residual.cc")
#include "gated_residual.cc"
#endif
#if __has_include("philox.cc")
#include "philox.cc"
#endif
#if __has_include("label_dropout.cc")
#include "label_dropout.cc"
#endif
#if __has_include("global_norm.cc")
#include "global_norm.cc"
#endif
#if __has_include("adamw.cc")
#include "adamw.cc"
#endif

namespace rectiflow {
namespace RF_NS {

static const Kernel kKernels[] = {
    {"add", addKernel},
    {"sub", subKernel},
    {"mul", mulKernel},
    {"div", divKernel},
    {"less", lessKernel},
    {"minimum", minimumKernel},
    {"maximum", maximumKernel},
    {"neg", negKernel},
    {"exp", expKernel},
    {"log", logKernel},
    {"sqrt", sqrtKernel},
    {"square", squareKernel},
    {"reciprocal", reciprocalKernel},
    {"tanh", tanhKernel},
    {"sigmoid", sigmoidKernel},
    {"sin", sinKernel},
    {"cos", cosKernel},
    {"affine", affineKernel},
    {"cast", castKernel},
    {"sum", sumKernel},
    {"max", maxKernel},
    {"broadcastTo", broadcastToKernel},
    {"transpose", transposeKernel},
    {"slice", sliceKernel},
    {"pad", padKernel},
    {"concat", concatKernel},
    {"gather", gatherKernel},
    {"scatterAdd", scatterAddKernel},
    {"softmax", softmaxKernel},
    {"gelu", geluKernel},
    {"geluDerivative", geluDerivativeKernel},
    {"silu", siluKernel},
    {"siluDerivative", siluDerivativeKernel},
#if __has_include("matmul.cc")
    {"matmul", matmulKernel},
#endif
#if __has_include("linear.cc")
    {"linear", linearKernel},
    {"linearGradInput", linearGradInputKernel},
    {"linearGradParams", linearGradParamsKernel},
#endif
#if __has_include("attention.cc")
    {"attention", attentionKernel},
    {"attentionGrad", attentionGradKernel},
#endif
#if __has_include("layer_norm_modulate.cc")
    {"layerNormModulate", layerNormModulateKernel},
    {"layerNormModulateGrad", layerNormModulateGradKernel},
#endif
#if __has_include("gated_residual.cc")
    {"gatedResidual", gatedResidualKernel},
    {"gatedResidualGrad", gatedResidualGradKernel},
#endif
#if __has_include("philox.cc")
    {"philoxUniform", philoxUniformKernel},
    {"philoxNormal", philoxNormalKernel},
#endif
#if __has_include("label_dropout.cc")
    {"labelDropout", labelDropoutKernel},
#endif
#if __has_include("global_norm.cc")
    {"globalNorm", globalNormKernel},
#endif
#if __has_include("adamw.cc")
    {"adamw", adamwKernel},
#endif
    {nullptr, nullptr},
};

extern const KernelTable kernelTable;
const KernelTable kernelTable = {RF_ISA, kKernels};

}  // namespace RF_NS
}  // namespace rectiflow
