"""What `besom-trainer export` writes, in PyTorch: an nn.Sequential of the same layers takes all of it by
load_state_dict(), which is strict, and gives the same logits on the test images.

The file is read by the code that docs/checkpoint-format.md shows.
"""
import gzip
import json
import os
import re
import subprocess
import tempfile

import numpy
import torch
from torch import nn

import parity_models
from parity_common import BUILD, TRAINER, note, tensor_error

DRIVER = os.path.join(BUILD, "tests", "export_driver")
PAGE = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "checkpoint-format.md")
IMAGES = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
COUNT = 300

CONFIGS = [
    ("lenet5 with prelu", {"model": "lenet5", "activation": "prelu", "ema": 0.9}),
    ("mlp with dropout", {"model": "mlp", "optimizer": "momentum"}),
    ("deep10 with selu", {"model": "deep10", "activation": "selu", "init": "lecun_normal"}),
    ("maxout, strides, padding, both pools", {"model": {"layers": [
        {"type": "conv2d", "channels": 5, "kernel": 3, "stride": 2, "padding": 1,
         "activation": {"name": "maxout", "pieces": 3}},
        {"type": "avgpool", "kernel": 2},
        {"type": "conv2d", "channels": 7, "kernel": 2, "activation": "prelu"},
        {"type": "maxpool", "kernel": 3, "stride": 1},
        "flatten",
        {"type": "dense", "units": 20, "activation": "elu"},
        {"type": "dropout", "p": 0.3},
        {"type": "dense", "units": 10}]}, "ema": 0.8}),
    ("batch norm of both kinds, a residual block", {"model": {"layers": [
        {"type": "conv2d", "channels": 6, "kernel": 3, "stride": 2},
        "batch_norm",
        "activation",
        {"type": "residual",
         "layers": [{"type": "conv2d", "channels": 8, "kernel": 3, "stride": 2, "padding": 1}, "batch_norm"],
         "shortcut": [{"type": "conv2d", "channels": 8, "kernel": 1, "stride": 2}]},
        "activation",
        "globalavgpool",
        "flatten",
        {"type": "dense", "units": 16},
        "batch_norm",
        "activation",
        {"type": "dense", "units": 10}]}, "ema": 0.5}),
]


class Residual(nn.Module):
    """As docs/checkpoint-format.md says what a residual block is to load_state_dict()."""

    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = nn.Sequential(*body), nn.Sequential(*shortcut)

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def normalized_network():
    """The last of CONFIGS, by hand."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU(),
        Residual([nn.Conv2d(6, 8, 3, 2, 1), nn.BatchNorm2d(8)], [nn.Conv2d(6, 8, 1, 2)]), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10))


def torch_model(config):
    return normalized_network() if config == CONFIGS[-1][1] else parity_models.build(config, (1, 28, 28), 10)


def documented_loader():
    """The function load() of the page."""
    with open(PAGE) as page:
        blocks = re.findall(r"```python\n(.*?)```", page.read(), re.S)
    scope = {}
    exec(next(b for b in blocks if "def load(path)" in b), scope)
    return scope["load"]


def test_images():
    with gzip.open(IMAGES) as f:
        pixels = numpy.frombuffer(f.read(16 + COUNT * 784), numpy.uint8, offset=16)
    return torch.from_numpy(pixels.reshape(COUNT, 1, 28, 28) / numpy.float64(255))


def trainer(*arguments):
    subprocess.run([TRAINER, *arguments], stdout=subprocess.DEVNULL, check=True)


def compare(what, config, folder, images, averaged):
    load = documented_loader()
    exported = os.path.join(folder, "averaged.safetensors" if averaged else "plain.safetensors")
    runs = os.path.join(folder, "run")
    trainer("export", runs, "-o", exported, *(["--averaged"] if averaged else []))
    _, tensors = load(exported)
    model = torch_model(config).eval().double()
    model.load_state_dict({name: torch.tensor(values).view(shape)
                           for name, (shape, values) in tensors.items()})  # strict
    latest = subprocess.run([TRAINER, "list", "--latest", runs], stdout=subprocess.PIPE, check=True).stdout
    ours = subprocess.run([DRIVER, latest.decode().rstrip("\n"), os.path.join(folder, "cache"),
                           "averaged" if averaged else "plain"],
                          stdout=subprocess.PIPE, check=True).stdout
    with torch.no_grad():
        theirs = model(images)
    ours = torch.frombuffer(bytearray(ours), dtype=torch.float32).view(COUNT, 10).double()
    note("export", what + (", averaged" if averaged else ""), f"logits of {COUNT} test images",
         tensor_error(ours, theirs), 1e-5)
    return theirs


def run():
    images = test_images()
    for what, config in CONFIGS:
        with tempfile.TemporaryDirectory() as folder:
            text = os.path.join(folder, "config.json")
            with open(text, "w") as f:
                json.dump({"dataset": {"name": "fashion-mnist", "train": 500, "test": COUNT}, "epochs": 2,
                           **config}, f)
            trainer("train", text, "--checkpoint-dir", os.path.join(folder, "run"), "--cache-dir",
                    os.path.join(folder, "cache"))
            plain = compare(what, config, folder, images, False)
            if "ema" in config:
                averaged = compare(what, config, folder, images, True)
                assert not torch.equal(plain, averaged)
