"""A training step of several processes, by DistributedDataParallel over gloo: ranks.py SPECIFICATION (JSON)

Rank 0 takes turns as any measured process does, and tells the others when to take a step.
"""

import datetime
import json
import os
import sys
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch.nn.parallel import DistributedDataParallel

from serve import serve
from training import TrainingStep

# A match may let a contestant wait for longer than the half hour of gloo.
PATIENCE = datetime.timedelta(hours=12)


def join(rank, spec, meeting):
    """Meets the other ranks at a file. -> the step of this one"""
    torch.set_num_threads(spec["threads"])
    torch.manual_seed(rank)
    # The name of a machine need not resolve to it.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    ranks = spec["ranks"]
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=ranks, timeout=PATIENCE)
    return TrainingStep(spec, spec["batch"] // ranks, distribute)


def distribute(model):
    wrapped = DistributedDataParallel(model, gradient_as_bucket_view=True)
    # Every step measures itself.
    wrapped._set_ddp_runtime_logging_sample_rate(1)
    return wrapped


def tell(goes_on):
    """Rank 0 says whether there is another step. -> what it said, on every rank"""
    said = torch.tensor([float(goes_on)])
    dist.broadcast(said, src=0)
    return bool(said)


def follow(index, spec, meeting):
    step = join(index + 1, spec, meeting)
    while tell(False):
        step()
    dist.destroy_process_group()


class Led:
    """A step of all ranks, from where rank 0 is."""

    def __init__(self, step):
        self.step = step
        self.seconds = 0.0

    def __call__(self):
        tell(True)
        self.step()
        # Of the step before: they are made up when the next forward pass begins.
        times = self.step.called._get_ddp_logging_data()
        exchange, hidden = (times.get(f"backward_{name}_time", 0) for name in ("comm", "compute_comm_overlap"))
        self.seconds += (exchange - hidden) / 1e9

    def traffic(self):
        """What of the exchange the backward pass did not hide."""
        return {"seconds": self.seconds}


def main():
    spec = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        meeting = os.path.join(folder, "meeting")
        others = multiprocessing.spawn(follow, (spec, meeting), nprocs=spec["ranks"] - 1, join=False, daemon=True)
        led = Led(join(0, spec, meeting))
        serve(led, led, led.step.describe, led.traffic)
        tell(False)
        others.join()
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
