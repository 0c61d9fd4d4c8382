"""Batches of images by PyTorch's DataLoader with Pillow, as bench/loader-child.ts reads them: loader.py SPECIFICATION (JSON)"""

import json
import random
import sys
from pathlib import Path

import numpy
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, default_collate

from serve import serve

spec = json.loads(sys.argv[1])


class Folder(Dataset):
    """Shorter side to `resize` by Lanczos's kernel, a square from the middle, mirrored half of the time, to [-1, 1]."""

    def __init__(self, path, size):
        self.size = size
        classes = sorted(folder for folder in Path(path).iterdir() if folder.is_dir())
        self.files = [(str(file), label) for label, folder in enumerate(classes) for file in sorted(folder.iterdir())]

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        path, label = self.files[index]
        with Image.open(path) as image:
            image = image.convert("RGB")
        factor = self.size / min(image.size)
        width, height = (max(self.size, round(side * factor)) for side in image.size)
        left, top = (width - self.size) // 2, (height - self.size) // 2
        image = image.resize((width, height), Image.Resampling.LANCZOS)
        image = image.crop((left, top, left + self.size, top + self.size))
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(numpy.array(image)).permute(2, 0, 1)
        return pixels.to(torch.float32).div_(127.5).sub_(1), label


class Packed(Dataset):
    """An array [N, C, H, W] of bytes, mapped into memory."""

    def __init__(self, path, shape):
        self.samples = numpy.memmap(Path(path) / "samples.bin", dtype=numpy.uint8, mode="r").reshape(-1, *shape)
        self.labels = numpy.fromfile(Path(path) / "labels.bin", dtype=numpy.int32)

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        pixels = torch.from_numpy(numpy.array(self.samples[index]))
        return pixels.to(torch.float32).div_(127.5).sub_(1), int(self.labels[index])


def endless(loader):
    while True:
        yield from loader


samples = Packed(spec["path"], spec["shape"]) if "shape" in spec else Folder(spec["path"], spec["size"])
workers = spec["workers"]
loader = DataLoader(
    samples,
    batch_size=spec["batch"],
    shuffle=True,
    drop_last=True,
    num_workers=workers,
    persistent_workers=workers > 0,
)
batches = endless(loader)


def run():
    for _ in range(spec["batches"]):
        next(batches)


def describe():
    first, _ = default_collate([samples[index] for index in range(spec["batch"])])
    return {"mean": first.mean().item()}


serve(run, run, describe)
