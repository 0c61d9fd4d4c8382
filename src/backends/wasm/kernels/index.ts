// What JavaScript may call. These files are AssemblyScript: numbers of fixed size, and addresses in bytes. Nothing here has memory of its
// own.
export { matmul } from './product';
export { linear, linearGatedResidual, linearGradInput, linearGradParams } from './linear';
