"""Whole epochs on Fashion-MNIST: besom-trainer, and PyTorch from the weights of its checkpoint cp-0000 and in its
order of images, both in float32.

The driver trains the same once more, for the loss of every batch; it ends with the bits of the trainer's last
checkpoint, so that what holds for the one holds for the other.
"""
import gzip
import json
import os
import struct
import subprocess
import tempfile

import numpy
import torch

import parity_models
from parity_common import BUILD, TRAINER, drive_raw, note
from parity_nets import Batch, our_training, tensor_list

FOLDER = "/usr/share/datasets/fashion-mnist"
SHAPE, CLASSES = (1, 28, 28), 10


def load(part, count):
    def read(name, skip):
        with gzip.open(os.path.join(FOLDER, name + ".gz")) as file:
            return numpy.frombuffer(file.read(), numpy.uint8, offset=skip)

    images = read(f"{part}-images-idx3-ubyte", 16).reshape(-1, *SHAPE)[:count]
    labels = read(f"{part}-labels-idx1-ubyte", 8)[:count]
    return torch.from_numpy(images.astype(numpy.float32) / 255), torch.from_numpy(labels.astype(numpy.int64))


def load_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__")
    tensors = {}
    for name, t in header.items():
        begin, end = (8 + length + offset for offset in t["data_offsets"])
        tensors[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32).view(t["shape"])
    return tensors


def train(config, folder):
    """The last epoch's record."""
    path = os.path.join(folder, "config.json")
    with open(path, "w") as file:
        json.dump(config, file)
    argv = [TRAINER, "train", path, "--checkpoint-dir", folder, "--cache-dir", os.path.join(BUILD, "parity-cache")]
    out = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True).stdout
    records = [r for r in map(json.loads, out.splitlines()) if "epoch" in r]
    return records[-1]


def evaluate(model, x, labels):
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(part) for part in x.split(500)])
    return (torch.nn.functional.cross_entropy(logits, labels).item(),
            (logits.argmax(1) == labels).double().mean().item())


def their_epoch(config, model, batches):
    """The losses of the batches."""
    optimizer = parity_models.optimizer(config["optimizer"], model.parameters())
    model.train()
    losses = []
    for batch in batches:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(batch.x), batch.labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def compare(what, config, every=1):
    dataset = config["dataset"]
    x, labels = load("train", dataset["train"])
    with tempfile.TemporaryDirectory() as folder:
        record = train({**config, "epochs": 1, "checkpoint": {"initial": True, "keep": 0}}, folder)
        start = load_safetensors(os.path.join(folder, "cp-0000.safetensors"))
        end = load_safetensors(os.path.join(folder, "cp-0001.safetensors"))
    order = numpy.frombuffer(drive_raw("order", config, len(x), 1), numpy.uint32).astype(numpy.int64)
    batches = [Batch(x[part], labels[part]) for part in torch.from_numpy(order).split(config["batch_size"])]

    tensors, _ = tensor_list(config, SHAPE, CLASSES)
    ours = our_training(config, SHAPE, CLASSES, tensors, start, batches)
    different = sum(not torch.equal(ours["tensors"][t["name"]].float(), end[t["name"]]) for t in tensors)
    note("epoch", what, "tensors in which the driver is not the trainer", different, 0)

    model = parity_models.build(config, SHAPE, CLASSES)
    model.load_state_dict({n: v for n, v in start.items() if not n.startswith("optimizer.")}, strict=False)
    losses = torch.tensor(their_epoch(config, model, batches), dtype=torch.float64)
    curve = torch.tensor([loss for _, loss in ours["train"]], dtype=torch.float64)
    sizes = torch.tensor([len(b.x) for b in batches], dtype=torch.float64)
    apart = (curve - losses)[:len(losses) // every * every].view(-1, every).mean(1).abs().max().item()
    val_loss, val_accuracy = evaluate(model, *load("t10k", dataset["test"]))
    each = f"loss, mean of every {every} of" if every > 1 else "loss of each of"
    note("epoch", what, f"{each} {len(batches)} batches", apart, 1e-3)
    note("epoch", what, "train_loss", abs(record["train_loss"] - ((losses * sizes).sum() / sizes.sum()).item()), 1e-3)
    note("epoch", what, "val_loss", abs(record["val_loss"] - val_loss), 1e-3)
    note("epoch", what, "val_accuracy", abs(record["val_accuracy"] - val_accuracy), 1e-3)


def run():
    adam = {"name": "adam", "lr": 0.001}
    compare("lenet5, tanh, adam, 60,000 images", {
        "model": "lenet5", "activation": "tanh", "optimizer": adam, "batch_size": 64,
        "dataset": {"name": "fashion-mnist", "train": 60000, "test": 10000}}, every=20)
    compare("lenet5, relu, adam, 6,400 images", {
        "model": "lenet5", "optimizer": adam, "batch_size": 64, "init": "he_uniform",
        "dataset": {"name": "fashion-mnist", "train": 6400, "test": 2000}})
    for batch_norm in False, True:  # at 0.001 single batches of PyTorch's float32 and float64 are 4e-3 apart
        compare(f"vgg-small{', batch_norm' if batch_norm else ''}, relu, adam 0.0001, 2,000 images", {
            "model": "vgg-small", "batch_norm": batch_norm, "optimizer": {"name": "adam", "lr": 0.0001},
            "batch_size": 64, "init": "he_uniform",
            "dataset": {"name": "fashion-mnist", "train": 2000, "test": 10000}})
