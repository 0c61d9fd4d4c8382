import type { Module } from '../nn/module.ts';

/**
 * The part of a model that a parameter belongs to: `blocks.3` of `blocks.3.attn.qkv.weight`, `final_layer` of `final_layer.linear.bias`,
 * `encoder.down_blocks.1` of `encoder.down_blocks.1.resnets.0.conv1.weight`.
 */
export function blockOf(parameter: string): string {
  return /^(?:[^.]+\.)*?(?:(?:down_|up_)?blocks\.\d+|mid_block)|^[^.]+/.exec(parameter)![0];
}

/** The parts of a model that are trained, in the order of its parameters. */
export function blocksOf({ parameters }: Module): string[] {
  return [...new Set(parameters.map(({ name }) => blockOf(name)))];
}
