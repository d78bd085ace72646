#!/usr/bin/env python3
"""A trainer that loses an epoch: it saves it, then tells it, and tells it once only.

`besom check -- examples/trainers/saved_before_told.py` says "skips-epochs".

Wrong: after a kill between the two the checkpoint says that the epoch is done, so that nobody ever tells it.
To mend: keep the epochs' records in the checkpoint and tell them again on resuming, as good.py does.  To tell first
instead helps against kills of the trainer alone: see told_before_saved.py."""
import json
import os
import random

config = json.load(open(os.environ["BESOM_CONFIG"]))
state_file = os.path.join(os.environ["BESOM_CHECKPOINT_DIR"], "state.json")
epochs = config.get("epochs", 6)

state = {"epoch": 0, "w": 0.0}
if os.path.exists(state_file):
    state = json.load(open(state_file))

while state["epoch"] < epochs:
    state["epoch"] += 1
    rng = random.Random(f"{os.environ['BESOM_SEED']} {state['epoch']}")
    for _ in range(100):
        state["w"] -= 0.02 * (state["w"] - 1 + rng.gauss(0, 0.1))
    loss = (state["w"] - 1) ** 2
    with open(state_file + ".tmp", "w") as file:
        json.dump(state, file)
    os.replace(state_file + ".tmp", state_file)
    # <-- a kill here
    print(json.dumps({"epoch": state["epoch"], "val_accuracy": 1 / (1 + loss)}), flush=True)
