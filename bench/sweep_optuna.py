#!/usr/bin/python3
"""The peer's side of bench/sweep: one process of a grid search with Optuna over SQLite, whose trials train LeNet-5 with PyTorch.

    sweep_optuna.py create FOLDER IMAGES EPOCHS      makes the study in FOLDER/study.db
    sweep_optuna.py work FOLDER IMAGES EPOCHS        runs half of its trials

One thread; the data are read once and stay in memory; each epoch ends with a validation, a report to Optuna and a checkpoint.
"""
import os
import sys

os.environ["OMP_NUM_THREADS"] = "1"
import optuna
import torch
from torch import nn

import step_torch

TEST, BATCH = 10000, 64
GRID = {"optimizer": ["sgd", "adam"], "activation": ["relu", "tanh"], "init": ["xavier_normal", "he_normal"]}
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}
INITS = {"xavier_normal": nn.init.xavier_normal_, "he_normal": nn.init.kaiming_normal_}


def storage(folder):
    return optuna.storages.RDBStorage(f"sqlite:///{folder}/study.db", engine_kwargs={"connect_args": {"timeout": 100}})


def network(activation, init):
    act = ACTIVATIONS[activation]
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), act(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), act(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), act(), nn.Linear(120, 84), act(), nn.Linear(84, 10))
    for layer in model:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            INITS[init](layer.weight)
            nn.init.zeros_(layer.bias)
    return model


class Objective:
    def __init__(self, folder, images, epochs):
        self.folder, self.epochs = folder, epochs
        read = step_torch.read
        self.images = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[:images]
        self.labels = read("train-labels-idx1-ubyte.gz", 8).long()[:images]
        self.test_images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)[:TEST]
        self.test_labels = read("t10k-labels-idx1-ubyte.gz", 8).long()[:TEST]

    def train(self, model, optimizer, loss_of):
        model.train()
        order = torch.randperm(len(self.images))
        for at in range(0, len(self.images), BATCH):
            index = order[at:at + BATCH]
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(self.images[index].float().div_(255)), self.labels[index])
            loss.backward()
            optimizer.step()

    def accuracy(self, model):
        model.eval()
        right = 0
        with torch.no_grad():
            for at in range(0, TEST, 500):
                out = model(self.test_images[at:at + 500].float().div_(255))
                right += (out.argmax(1) == self.test_labels[at:at + 500]).sum().item()
        return right / TEST

    def __call__(self, trial):
        torch.manual_seed(1)
        name, activation, init = (trial.suggest_categorical(axis, values) for axis, values in GRID.items())
        model = network(activation, init)
        optimizer = (torch.optim.SGD(model.parameters(), lr=0.05) if name == "sgd" else torch.optim.Adam(model.parameters()))
        accuracy = 0.0
        for epoch in range(1, self.epochs + 1):
            self.train(model, optimizer, nn.CrossEntropyLoss())
            accuracy = self.accuracy(model)
            trial.report(accuracy, epoch)
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch},
                       f"{self.folder}/{trial.number}.pt")
        return accuracy


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in ("create", "work"):
        sys.exit(__doc__)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = sys.argv[2]
    sampler = optuna.samplers.GridSampler(GRID)
    if sys.argv[1] == "create":
        optuna.create_study(study_name="bench", storage=storage(folder), sampler=sampler, direction="maximize")
        return
    torch.set_num_threads(1)
    study = optuna.load_study(study_name="bench", storage=storage(folder), sampler=sampler)
    # Half of the grid each: left to the sampler, one of two processes may try a point again at the end.
    study.optimize(Objective(folder, *map(int, sys.argv[3:])), n_trials=4)


if __name__ == "__main__":
    main()
