#!/usr/bin/env python3
"""A trainer that does not resume: the order of its data begins anew.

`besom check -- examples/trainers/order_restarted.py` says "does-not-resume".

Wrong: the order is shuffled once more in each epoch, in place.  A resumed run shuffles the sorted list, while an
uninterrupted one shuffles that of the epoch before: the samples come in another order, though the generator is
seeded for each epoch, as it should be.
To mend: shuffle a fresh list in each epoch (or save the order)."""
import json
import os
import random

config = json.load(open(os.environ["BESOM_CONFIG"]))
state_file = os.path.join(os.environ["BESOM_CHECKPOINT_DIR"], "state.json")
epochs = config.get("epochs", 6)

data = [(i / 40 - 1, (i * i) % 7 - 3) for i in range(80)]  # no line fits: the order matters to the end
order = list(range(len(data)))
state = {"history": [], "w": 0.0, "b": 0.0}
if os.path.exists(state_file):
    state = json.load(open(state_file))

for record in state["history"]:
    print(json.dumps(record), flush=True)
while len(state["history"]) < epochs:
    epoch = len(state["history"]) + 1
    random.Random(f"{os.environ['BESOM_SEED']} {epoch}").shuffle(order)  # <-- of which order?
    loss = 0.0
    for i in order:
        x, y = data[i]
        error = state["w"] * x + state["b"] - y
        state["w"] -= 0.05 * error * x
        state["b"] -= 0.05 * error
        loss += error * error / len(data)
    state["history"].append({"epoch": epoch, "val_accuracy": 1 / (1 + loss)})
    with open(state_file + ".tmp", "w") as file:
        json.dump(state, file)
    os.replace(state_file + ".tmp", state_file)
    print(json.dumps(state["history"][-1]), flush=True)
