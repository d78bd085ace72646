#!/usr/bin/python3
"""PyTorch's side of bench/steps: training steps of a network, as many as fit into the time asked for.

    step_torch.py NETWORK BATCH [channels_last]

For each line on stdin, a number of seconds, it trains for so long and prints samples/s and the mean loss.  One thread; the data are
the bytes of Fashion-MNIST in memory, gathered and divided by 255 batch by batch; Adam at its defaults.
"""
import gzip
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"
import torch
from torch import nn

FOLDER = "/usr/share/datasets/fashion-mnist/"


def read(name, header):
    with gzip.open(FOLDER + name) as file:
        return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 10))


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def deep10():
    layers, width = [nn.Flatten()], 784
    for _ in range(10):
        layers += [nn.Linear(width, 500), nn.Tanh()]
        width = 500
    return nn.Sequential(*layers, nn.Linear(width, 10))


def vgg_small():
    def conv(c, k):
        return [nn.Conv2d(c, k, 3, padding=1), nn.BatchNorm2d(k), nn.ReLU()]
    return nn.Sequential(
        *conv(1, 32), *conv(32, 32), nn.MaxPool2d(2), *conv(32, 64), *conv(64, 64), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 10))


NETWORKS = {"mlp": mlp, "lenet5": lenet5, "deep10": deep10, "vgg-small": vgg_small}


class Trainer:
    def __init__(self, network, batch, channels_last):
        torch.manual_seed(1)
        torch.set_num_threads(1)
        self.batch, self.channels_last = batch, channels_last
        self.images = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
        self.labels = read("train-labels-idx1-ubyte.gz", 8).long()
        self.model = NETWORKS[network]().train()
        if channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.loss = nn.CrossEntropyLoss()
        self.order, self.at = None, len(self.images)

    def step(self):
        if self.at + self.batch > len(self.images):
            self.order, self.at = torch.randperm(len(self.images)), 0
        index = self.order[self.at:self.at + self.batch]
        self.at += self.batch
        x = self.images[index].float().div_(255)
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.model(x), self.labels[index])
        loss.backward()
        self.optimizer.step()
        return loss.item()


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in NETWORKS:
        sys.exit(f"usage: step_torch.py {'|'.join(NETWORKS)} BATCH [channels_last]; then seconds on stdin")
    trainer = Trainer(sys.argv[1], int(sys.argv[2]), sys.argv[3:] == ["channels_last"])
    for line in sys.stdin:
        seconds, start, losses = float(line), time.perf_counter(), []
        while not losses or time.perf_counter() - start < seconds:
            losses.append(trainer.step())
        taken = time.perf_counter() - start
        print(f"{len(losses) * trainer.batch / taken:.6g} {sum(losses) / len(losses):.6g}", flush=True)


if __name__ == "__main__":
    main()
