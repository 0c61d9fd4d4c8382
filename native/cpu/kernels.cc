// Every kernel, compiled as one unit per instruction set: binding.gyp sets RF_NS, RF_LANES and the compiler's target.

#include "activations.cc"
#include "accumulate.cc"
#include "accumulate_tree.cc"
#include "adamw.cc"
#include "advance.cc"
#include "assign.cc"
#include "attention.cc"
#include "attention_grad.cc"
#include "cast.cc"
#include "condition_dropout.cc"
#include "conv2d.cc"
#include "conv2d_grad.cc"
#include "denoise.cc"
#include "elementwise.cc"
#include "gated_residual.cc"
#include "gather.cc"
#include "global_norm.cc"
#include "group_norm.cc"
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
#include "upsample_nearest.cc"

namespace rectiflow {
namespace RF_NS {

constexpr bool kReserves = true;  // see core.h

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
    {"sum", sumKernel, kReserves},
    {"max", maxKernel, kReserves},
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
    {"relu", reluKernel},
    {"activationGrad", activationGradKernel},
    {"matmul", matmulKernel, kReserves},
    {"linear", linearKernel, kReserves},
    {"linearGradInput", linearGradInputKernel, kReserves},
    {"linearGradParams", linearGradParamsKernel, kReserves},
    {"linearGatedResidual", linearGatedResidualKernel, kReserves},
    {"conv2d", conv2dKernel, kReserves},
    {"conv2dGradInput", conv2dGradInputKernel, kReserves},
    {"conv2dGradParams", conv2dGradParamsKernel, kReserves},
    {"upsampleNearest", upsampleNearestKernel},
    {"upsampleNearestGrad", upsampleNearestGradKernel},
    {"attention", attentionKernel, kReserves},
    {"attentionGrad", attentionGradKernel, kReserves},
    {"crossAttention", crossAttentionKernel, kReserves},
    {"crossAttentionGrad", crossAttentionGradKernel, kReserves},
    {"groupNorm", groupNormKernel},
    {"groupNormGrad", groupNormGradKernel, kReserves},
    {"layerNormModulate", layerNormModulateKernel},
    {"layerNormModulateGrad", layerNormModulateGradKernel, kReserves},
    {"gatedResidual", gatedResidualKernel},
    {"gatedResidualGrad", gatedResidualGradKernel, kReserves},
    {"philoxUniform", philoxUniformKernel},
    {"philoxNormal", philoxNormalKernel},
    {"conditionDropout", conditionDropoutKernel},
    {"advance", advanceKernel},
    {"denoise", denoiseKernel},
    {"globalNorm", globalNormKernel, kReserves},
    {"isFinite", isFiniteKernel},
    {"assign", assignKernel},
    {"accumulate", accumulateKernel},
    {"accumulateTree", accumulateTreeKernel},
    {"lerpAssign", lerpAssignKernel},
    {"adamw", adamwKernel<false>},
    {"adamwAverage", adamwKernel<true>},
    {},
};

extern const KernelTable kernelTable;
const KernelTable kernelTable = {RF_ISA, kKernels, multiplyAddBurst};

}  // namespace RF_NS
}  // namespace rectiflow
