#!/usr/bin/env python3
"""A trainer that tells an epoch before it saves it, keeps no history, and so tells each epoch once.

`besom check -- examples/trainers/told_before_saved.py` says "tells-once".

A kill of the trainer between the two does no harm: the epoch is trained and told once more, with the same bits,
which besom compares and accepts.  But told is not stored: a line is in the pipe first, then in the trial's log, and
some milliseconds later in the database.  When besom itself is killed it takes what is in the log from there at the
next start; a line that was still in the pipe, or that a power cut has taken from the log, is lost, and the state says
that the epoch is done.  Then the trial ends with a missing epoch, and besom begins it again from its first.
To mend: keep the epochs' records in the checkpoint and tell them again on resuming, as good.py does."""
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
