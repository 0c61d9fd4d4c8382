// What JavaScript may call. These files are AssemblyScript: numbers of fixed size, and addresses in bytes. Nothing here has memory of its
// own.
export { attention, attentionGrad } from './attention';
export { conv2d, conv2dGradInput, conv2dGradParams } from './conv2d';
export { activationGrad, affine, binary, unary } from './elementwise';
export { groupNorm, groupNormGrad } from './group-norm';
export { linear, linearGatedResidual, linearGradInput, linearGradParams } from './linear';
export { gatedResidual, gatedResidualGrad, layerNormModulate, layerNormModulateGrad } from './norms';
export { matmul } from './product';
export { isFinite, sum, sumSquares } from './sums';
export { adamw, lerp } from './updates';
export { upsampleNearest, upsampleNearestGrad } from './upsample-nearest';
export { layWindows } from './windows';
