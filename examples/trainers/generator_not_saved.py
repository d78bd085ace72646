#!/usr/bin/env python3
"""A trainer that does not resume: the state of its random generator is not saved.

`besom check -- examples/trainers/generator_not_saved.py` says "does-not-resume".

Wrong: after a resumption the generator begins again with the numbers of epoch 1 (dropout, noise, sampling,
initializations of later layers ...), and every metric from there on is another one.
To mend: save what the generator's getstate() gives and restore it; or draw each epoch's numbers from a
generator seeded with (seed, epoch), which needs no state at all."""
import json
import os
import random

config = json.load(open(os.environ["BESOM_CONFIG"]))
state_file = os.path.join(os.environ["BESOM_CHECKPOINT_DIR"], "state.json")
epochs = config.get("epochs", 6)

rng = random.Random(os.environ["BESOM_SEED"])
state = {"history": [], "w": 0.0}
if os.path.exists(state_file):
    state = json.load(open(state_file))  # <-- and the generator?

for record in state["history"]:
    print(json.dumps(record), flush=True)
while len(state["history"]) < epochs:
    loss = 0.0
    for _ in range(100):
        error = state["w"] - 1 + rng.gauss(0, 0.1)
        state["w"] -= 0.02 * error
        loss += error * error / 100
    state["history"].append({"epoch": len(state["history"]) + 1, "val_accuracy": 1 / (1 + loss)})
    with open(state_file + ".tmp", "w") as file:
        json.dump(state, file)
    os.replace(state_file + ".tmp", state_file)
    print(json.dumps(state["history"][-1]), flush=True)
