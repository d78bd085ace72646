#!/usr/bin/env python3
"""A trainer that a kill at the wrong moment ends for good: it saves over its only checkpoint.

`besom check -- examples/trainers/torn_save.py` says "dies".

Wrong: open(..., "w") empties the old checkpoint before the new one is there.  A kill between the two, some ten
microseconds in each epoch, leaves a file that json.load refuses, in this attempt and in all later ones.
To mend: write to another name, flush, fsync, os.replace: see save() in good.py."""
import json
import os

config = json.load(open(os.environ["BESOM_CONFIG"]))
state_file = os.path.join(os.environ["BESOM_CHECKPOINT_DIR"], "state.json")
epochs = config.get("epochs", 6)

state = {"history": [], "w": 0.0}
if os.path.exists(state_file):
    state = json.load(open(state_file))

for record in state["history"]:
    print(json.dumps(record), flush=True)
while len(state["history"]) < epochs:
    for _ in range(2000):
        state["w"] -= 0.001 * (state["w"] - 1)
    loss = (state["w"] - 1) ** 2
    state["history"].append({"epoch": len(state["history"]) + 1, "val_accuracy": 1 / (1 + loss)})
    with open(state_file, "w") as file:  # <-- from here ...
        json.dump(state, file)
    # <-- ... to here there is no checkpoint
    print(json.dumps(state["history"][-1]), flush=True)
