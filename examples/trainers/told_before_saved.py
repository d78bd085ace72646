#!/usr/bin/env python3
"""A trainer that tells an epoch before it saves it, and keeps no history.  Is that wrong?

`besom check -- examples/trainers/told_before_saved.py` says "exact": after a kill between the two the epoch is
trained again and told again, with the same bits, which besom compares and accepts.  It costs an epoch at such a
kill and needs no history in the checkpoint.  It would be wrong for a trainer that is not deterministic.

The other way round, saved before told, without a history, is wrong: see saved_before_told.py."""
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
    print(json.dumps({"epoch": state["epoch"], "val_accuracy": 1 / (1 + loss)}), flush=True)
    with open(state_file + ".tmp", "w") as file:
        json.dump(state, file)
    os.replace(state_file + ".tmp", state_file)
