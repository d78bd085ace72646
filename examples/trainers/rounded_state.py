#!/usr/bin/env python3
"""A trainer that resumes but for rounding: its checkpoint holds eight digits of each number.

`besom check -- examples/trainers/rounded_state.py` says "equal-within", and how far it is off; it passes with
--tolerance 1e-6.

Wrong: a running mean, a weight, a rate that is written as "%.8g", or as float32 where it is computed in float64, comes
back as another number.  The curves look the same, and the results cannot be repeated.
To mend: write 17 digits (Python's repr and json do), hexadecimal (float.hex), or the bytes."""
import json
import os
import random

config = json.load(open(os.environ["BESOM_CONFIG"]))
state_file = os.path.join(os.environ["BESOM_CHECKPOINT_DIR"], "state.json")
epochs = config.get("epochs", 6)

history, w, mean = [], 0.0, 1.0
if os.path.exists(state_file):
    state = json.load(open(state_file))
    history, w, mean = state["history"], float(state["w"]), float(state["mean"])

for record in history:
    print(json.dumps(record), flush=True)
while len(history) < epochs:
    rng = random.Random(f"{os.environ['BESOM_SEED']} {len(history)}")
    for _ in range(100):
        error = w - 1 + rng.gauss(0, 0.1)
        w -= 0.02 * error
        mean = 0.99 * mean + 0.01 * error * error
    history.append({"epoch": len(history) + 1, "train_loss": mean, "val_accuracy": 1 / (1 + mean)})
    with open(state_file + ".tmp", "w") as file:
        json.dump({"history": history, "w": f"{w:.8g}", "mean": f"{mean:.8g}"}, file)  # <-- the other digits?
    os.replace(state_file + ".tmp", state_file)
    print(json.dumps(history[-1]), flush=True)
