"""A convolution in PyTorch, or one of its gradients: convolution.py SPECIFICATION (JSON)"""

import json
import sys

import torch
import torch.nn.functional as F

from serve import serve

spec = json.loads(sys.argv[1])
torch.set_num_threads(spec["threads"])
dtype = torch.bfloat16 if spec["precision"] == "bf16" else torch.float32
(B, C, O, size), side, stride = spec["shape"], spec["side"], spec["stride"]
padding = side // 2

x = torch.rand(B, C, size, size, dtype=dtype) - 0.5
w = torch.rand(O, C, side, side, dtype=dtype) - 0.5
b = torch.rand(O, dtype=dtype)
dy = torch.rand_like(F.conv2d(x, w, b, stride=stride, padding=padding))


def backward(mask):
    arguments = [O], [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, mask
    return torch.ops.aten.convolution_backward(dy, x, w, *arguments)


parts = {
    "conv2d": lambda: F.conv2d(x, w, b, stride=stride, padding=padding),
    "conv2dGradInput": lambda: backward([True, False, False]),
    "conv2dGradParams": lambda: backward([False, True, True]),
}
run = parts[spec["part"]]

with torch.no_grad():
    serve(run, run, dict)
