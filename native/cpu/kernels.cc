// Every kernel, compiled as one unit per instruction set: binding.gyp sets RF_NS, RF_LANES and the compiler's target.

#include "activations.cc"
#include "accumulate.cc"
#include "adamw.cc"
#include "assign.cc"
#include "attention.cc"
#include "attention_grad.cc"
#include "cast.cc"
#include "condition_dropout.cc"
#include "elementwise.cc"
#include "gated_residual.cc"
#include "gather.cc"
#include "global_norm.cc"
#include "is_finite.cc"
#include "layer_norm_modulate.cc"
#include "length_mask.cc"
#include "lerp_assign.cc"
#include "linear.cc"
#include "linear_gated_residual.cc"
#include "linear_grad.cc"
#include "matmul.cc"
#include "peak.cc"
#include "philox.cc"
#include "reduce.cc"
#include "round_to_float16.cc"
#include "slice.cc"
#include "softmax.cc"
#include "sum.cc"
#include "transpose.cc"

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
    {"roundToFloat16", roundToFloat16Kernel},
    {"sum", sumKernel},
    {"max", maxKernel},
    {"broadcastTo", broadcastToKernel},
    {"transpose", transposeKernel},
    {"slice", sliceKernel},
    {"split", splitKernel},
    {"pad", padKernel},
    {"concat", concatKernel},
    {"gather", gatherKernel},
    {"scatterAdd", scatterAddKernel},
    {"lengthMask", lengthMaskKernel},
    {"softmax", softmaxKernel},
    {"gelu", activationKernel<geluWithDerivative>},
    {"geluDerivative", derivativeKernel<geluWithDerivative>},
    {"silu", activationKernel<siluWithDerivative<>>},
    {"siluDerivative", derivativeKernel<siluWithDerivative<>>},
    {"activationGrad", activationGradKernel},
    {"matmul", matmulKernel},
    {"linear", linearKernel},
    {"linearGradInput", linearGradInputKernel},
    {"linearGradParams", linearGradParamsKernel},
    {"linearGatedResidual", linearGatedResidualKernel},
    {"attention", attentionKernel},
    {"attentionGrad", attentionGradKernel},
    {"crossAttention", crossAttentionKernel},
    {"crossAttentionGrad", crossAttentionGradKernel},
    {"layerNormModulate", layerNormModulateKernel},
    {"layerNormModulateGrad", layerNormModulateGradKernel},
    {"gatedResidual", gatedResidualKernel},
    {"gatedResidualGrad", gatedResidualGradKernel},
    {"philoxUniform", philoxUniformKernel},
    {"philoxNormal", philoxNormalKernel},
    {"conditionDropout", conditionDropoutKernel},
    {"globalNorm", globalNormKernel},
    {"isFinite", isFiniteKernel},
    {"assign", assignKernel},
    {"accumulate", accumulateKernel},
    {"lerpAssign", lerpAssignKernel},
    {"adamw", adamwKernel},
    {nullptr, nullptr},
};

extern const KernelTable kernelTable;
const KernelTable kernelTable = {RF_ISA, kKernels, multiplyAddBurst};

}  // namespace RF_NS
}  // namespace rectiflow
