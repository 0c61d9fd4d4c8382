// Every kernel, compiled as one unit per instruction set: binding.gyp sets RF_NS, RF_LANES and the compiler's target.
#include "simd.h"

#if __has_include("elementwise.cc")
#include "elementwise.cc"
#endif
#if __has_include("activations.cc")
#include "activations.cc"
#endif
#if __has_include("cast.cc")
#include "cast.cc"
#endif
#if __has_include("reduce.cc")
#include "reduce.cc"
#endif
#if __has_include("layout.cc")
#include "layout.cc"
#endif
#if __has_include("gather.cc")
#include "gather.cc"
#endif
#if __has_include("softmax.cc")
#include "softmax.cc"
#endif
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
#if __has_include("elementwise.cc")
    {"add", addKernel},
#endif
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
