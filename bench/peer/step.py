"""A training step of one process: step.py SPECIFICATION (JSON)"""

import json
import sys

import torch

from serve import serve
from training import TrainingStep

spec = json.loads(sys.argv[1])
torch.set_num_threads(spec["threads"])
step = TrainingStep(spec, spec["batch"])
serve(step, step, step.describe)
