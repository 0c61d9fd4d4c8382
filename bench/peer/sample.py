"""Euler's method with classifier-free guidance in PyTorch, as src/flow/sample.ts has it: sample.py SPECIFICATION (JSON)"""

import json
import sys

import torch

from dit import DiT
from serve import count_parameters, serve

spec = json.loads(sys.argv[1])
torch.set_num_threads(spec["threads"])
batch, classes, guidance = spec["batch"], spec["model"]["classes"], spec["guidance"]

model = DiT(**spec["model"]).eval()
if spec["precision"] == "bf16-weights":
    model = model.to(torch.bfloat16)
dtype = model.linear.weight.dtype
autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=spec["precision"] == "bf16")

labels = torch.cat([torch.arange(batch) % classes, torch.full((batch,), classes)])


@torch.inference_mode()
def sample(steps):
    x = torch.randn(batch, spec["model"]["channels"], *spec["model"]["imageSize"])
    for left in range(steps, 0, -1):
        t = torch.full((2 * batch,), left / steps)
        with autocast:
            velocity = model(torch.cat([x, x]).to(dtype), t, labels)
        conditional, null = velocity.float().chunk(2)
        x = x - (null + guidance * (conditional - null)) / steps
    return x


serve(lambda: sample(1), lambda: sample(spec["steps"]), lambda: {"parameters": count_parameters(model)})
