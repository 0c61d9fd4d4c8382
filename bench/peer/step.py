"""A training step of rectified flow in PyTorch, as src/train/step.ts has it: step.py SPECIFICATION (JSON)"""

import json
import sys

import torch
import torch.nn.functional as F

from dit import DiT
from serve import count_parameters, serve

spec = json.loads(sys.argv[1])
torch.set_num_threads(spec["threads"])
optimizer_settings, times = spec["optimizer"], spec["times"]
batch, classes = spec["batch"], spec["model"]["classes"]

model = DiT(**spec["model"])
parameters = list(model.parameters())
averages = [parameter.detach().clone() for parameter in parameters]
optimizer = torch.optim.AdamW(
    parameters,
    lr=optimizer_settings["learningRate"],
    betas=tuple(optimizer_settings["betas"]),
    eps=optimizer_settings["epsilon"],
    weight_decay=optimizer_settings["weightDecay"],
    fused=True,
)
autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=spec["precision"] == "bf16")

x0 = 2 * torch.rand(batch, spec["model"]["channels"], *spec["model"]["imageSize"]) - 1
labels = torch.arange(batch) % classes
loss = torch.zeros(())


def draw_times():
    if times["kind"] == "uniform":
        return torch.rand(batch)
    return torch.sigmoid(times["std"] * torch.randn(batch) + times["mean"])


def step():
    global loss
    x1, t = torch.randn_like(x0), draw_times()
    seen = torch.where(torch.rand(batch) < spec["labelDropout"], classes, labels)
    xt = torch.lerp(x0, x1, t[:, None, None, None])
    with autocast:
        velocity = model(xt, t, seen)
    loss = F.mse_loss(velocity.float(), x1 - x0)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, optimizer_settings["clipNorm"])
    optimizer.step()
    with torch.no_grad():
        torch._foreach_lerp_(averages, parameters, 1 - spec["emaDecay"])


serve(step, step, lambda: {"parameters": count_parameters(model), "loss": loss.item()})
