#!/usr/bin/env python3
"""A trainer that ends with the right numbers and yet does not resume: it never reads what it saved.

`besom check -- examples/trainers/starts_over.py` says "starts-over".

Wrong: the checkpoint is written for nobody.  Every kill costs all that was trained, and a training that is longer
than the time between two interruptions never ends.
To mend: load the checkpoint when it is there, see good.py."""
import json
import os
import random

config = json.load(open(os.environ["BESOM_CONFIG"]))
state_file = os.path.join(os.environ["BESOM_CHECKPOINT_DIR"], "state.json")
epochs = config.get("epochs", 6)

state = {"epoch": 0, "w": 0.0}
# <-- and if state_file exists?
while state["epoch"] < epochs:
    state["epoch"] += 1
    rng = random.Random(f"{os.environ['BESOM_SEED']} {state['epoch']}")
    for _ in range(100):
        state["w"] -= 0.02 * (state["w"] - 1 + rng.gauss(0, 0.1))
    loss = (state["w"] - 1) ** 2
    with open(state_file + ".tmp", "w") as file:
        json.dump(state, file)
    os.replace(state_file + ".tmp", state_file)
    print(json.dumps({"epoch": state["epoch"], "val_accuracy": 1 / (1 + loss)}), flush=True)
