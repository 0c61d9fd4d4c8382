"""A training step of rectified flow in PyTorch, as src/train/step.ts has it."""

import torch
import torch.nn.functional as F

from dit import DiT
from serve import count_parameters


class TrainingStep:
    """Called, it takes a step: draws, forward, backward, clipping, AdamW, EMA.

    batch: samples of a step in this process
    distribute: what the model is called through, such as DistributedDataParallel; the model itself by default
    """

    def __init__(self, spec, batch, distribute=lambda model: model):
        self.spec, self.batch = spec, batch
        self.model = DiT(**spec["model"])
        # Before averages are made: it may give the model other weights.
        self.called = distribute(self.model)
        self.parameters = list(self.model.parameters())
        self.averages = [parameter.detach().clone() for parameter in self.parameters]
        settings = spec["optimizer"]
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=settings["learningRate"],
            betas=tuple(settings["betas"]),
            eps=settings["epsilon"],
            weight_decay=settings["weightDecay"],
            fused=True,
        )
        self.autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=spec["precision"] == "bf16")
        self.x0 = 2 * torch.rand(batch, spec["model"]["channels"], *spec["model"]["imageSize"]) - 1
        self.labels = torch.arange(batch) % spec["model"]["classes"]
        self.loss = torch.zeros(())

    def draw_times(self):
        times = self.spec["times"]
        if times["kind"] == "uniform":
            return torch.rand(self.batch)
        return torch.sigmoid(times["std"] * torch.randn(self.batch) + times["mean"])

    def __call__(self):
        spec = self.spec
        x1, t = torch.randn_like(self.x0), self.draw_times()
        seen = torch.where(torch.rand(self.batch) < spec["labelDropout"], spec["model"]["classes"], self.labels)
        xt = torch.lerp(self.x0, x1, t[:, None, None, None])
        with self.autocast:
            velocity = self.called(xt, t, seen)
        self.loss = F.mse_loss(velocity.float(), x1 - self.x0)
        self.optimizer.zero_grad(set_to_none=True)
        self.loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, spec["optimizer"]["clipNorm"])
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.parameters, 1 - spec["emaDecay"])

    def describe(self):
        return {"parameters": count_parameters(self.model), "loss": self.loss.item()}
