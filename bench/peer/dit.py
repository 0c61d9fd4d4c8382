"""The same Diffusion Transformer in PyTorch: parameters, shapes and initial values as in src/models/dit.ts."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def position_table(rows, columns, width):
    """Sines and cosines of a token's column, then of its row. -> [1, rows * columns, width]"""
    frequencies = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))

    def encode(positions):
        angles = positions.flatten()[:, None] * frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.cat([encode(column), encode(row)], dim=1).float()[None]


def modulate(x, shift, scale):
    return x * (1 + scale) + shift


class TimestepEmbedder(nn.Module):
    def __init__(self, width, time_scale, frequencies=256):
        super().__init__()
        self.time_scale = time_scale
        self.mlp = nn.Sequential(nn.Linear(frequencies, width), nn.SiLU(), nn.Linear(width, width))
        half = frequencies // 2
        table = torch.exp(-math.log(10000) * torch.arange(half) / half)
        self.register_buffer("frequencies", table, persistent=False)

    def forward(self, t):
        angles = (self.time_scale * t)[:, None] * self.frequencies.float()
        embedding = torch.cat([angles.cos(), angles.sin()], dim=1)
        return self.mlp(embedding.to(self.mlp[0].weight.dtype))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.modulation = nn.Linear(width, 6 * width)

    def attention(self, x):
        B, N, D = x.shape
        q, k, v = self.qkv(x).view(B, N, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, N, D))

    def forward(self, x, c):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(c)[:, None].chunk(6, dim=2)
        x = x + gate1 * self.attention(modulate(self.norm1(x), shift1, scale1))
        hidden = F.gelu(self.fc1(modulate(self.norm2(x), shift2, scale2)), approximate="tanh")
        return x + gate2 * self.fc2(hidden)


class DiT(nn.Module):
    def __init__(self, width, depth, heads, patchSize, channels, imageSize, classes, timeScale):
        super().__init__()
        self.patch, self.channels = patchSize, channels
        self.rows, self.columns = (side // patchSize for side in imageSize)
        pixels = channels * patchSize**2
        self.register_buffer("pos_embed", position_table(self.rows, self.columns, width))
        self.x_embedder = nn.Linear(pixels, width)
        self.t_embedder = TimestepEmbedder(width, timeScale)
        self.y_embedder = nn.Embedding(classes + 1, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.modulation = nn.Linear(width, 2 * width)
        self.linear = nn.Linear(width, pixels)
        self.initialize()

    def initialize(self):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for layer in (self.t_embedder.mlp[0], self.t_embedder.mlp[2], self.y_embedder):
            nn.init.normal_(layer.weight, std=0.02)
        for layer in (*(block.modulation for block in self.blocks), self.modulation, self.linear):
            nn.init.zeros_(layer.weight)

    def forward(self, x, t, labels):
        """x [B, C, H, W], t [B] in [0, 1], labels [B] -> [B, C, H, W]"""
        B, p = x.shape[0], self.patch
        patches = x.view(B, self.channels, self.rows, p, self.columns, p).permute(0, 2, 4, 1, 3, 5)
        h = self.x_embedder(patches.reshape(B, self.rows * self.columns, -1)) + self.pos_embed
        c = F.silu(self.t_embedder(t) + self.y_embedder(labels))
        for block in self.blocks:
            h = block(h, c)
        shift, scale = self.modulation(c)[:, None].chunk(2, dim=2)
        v = self.linear(modulate(self.norm(h), shift, scale))
        v = v.view(B, self.rows, self.columns, p, p, self.channels).permute(0, 5, 1, 3, 2, 4)
        return v.reshape(B, self.channels, self.rows * p, self.columns * p)
