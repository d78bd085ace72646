#!/usr/bin/env python3
"""A trainer that is not ours and keeps the protocol to the letter: state and history saved durably before an
epoch is told, told again after a resumption, SIGTERM answered with status 85.

With "tell_first" in its config one that does not: an epoch is told, then saved, and never told again."""
import json
import os
import signal
import sys

EPOCH_STEPS = 50

stop = False


def ask_to_stop(*_):
    global stop
    stop = True


def say(**record):
    print(json.dumps(record), flush=True)


def save(folder, state):
    path = os.path.join(folder, "state.json")
    with open(path + ".tmp", "w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".tmp", path)
    fd = os.open(folder, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def step(state, rate):
    """A chaotic map: what is computed again from another state gives other bits."""
    state["x"] = 3.9 * state["x"] * (1 - state["x"])
    state["sum"] += rate * state["x"]


def go_on(folder, state, config):
    """One epoch."""
    for _ in range(EPOCH_STEPS):
        step(state, config["rate"])
    state["epoch"] += 1
    record = {"epoch": state["epoch"], "val_accuracy": state["sum"] % 1, "val_loss": state["x"]}
    if config.get("tell_first"):
        say(**record)
        save(folder, state)
    else:
        state["history"].append(record)
        save(folder, state)
        say(**record)


def main():
    signal.signal(signal.SIGTERM, ask_to_stop)
    config = json.load(open(os.environ["BESOM_CONFIG"]))
    folder = os.environ["BESOM_CHECKPOINT_DIR"]
    path = os.path.join(folder, "state.json")
    state = {"x": 0.1 + config["seed"] / 1000, "sum": 0.0, "epoch": 0, "history": []}
    if os.path.exists(path + ".tmp"):
        os.unlink(path + ".tmp")
    if os.path.exists(path):
        state = json.load(open(path))
    say(event="start", from_epoch=state["epoch"], deterministic=True)
    for record in state["history"]:
        say(**record)
    while state["epoch"] < config["epochs"]:
        go_on(folder, state, config)
        if stop and state["epoch"] < config["epochs"]:
            sys.exit(85)
    say(event="done")


main()
