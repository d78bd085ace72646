#!/bin/sh
# The tuning notes' example: 784-512-10 with ReLU and dropout 0.2, Adam, 1,000 images; trained, saved, listed,
# loaded into a fresh model, evaluated: the same loss and accuracy to the last bit.  The notes take MNIST; Debian
# has Fashion-MNIST.
. "$(dirname "$0")/lib.sh"

cat >notes.json <<'J'
{"dataset": {"name": "fashion-mnist", "train": 1000}, "model": "mlp", "activation": "relu", "dropout": 0.2,
 "optimizer": "adam", "batch_size": 32, "epochs": 10, "seed": 1,
 "checkpoint": {"every": 5, "keep": 0, "best": false, "initial": true}}
J
expect 0 "$trainer" train notes.json --checkpoint-dir run
cp out trained
equal "$(cd run && echo cp-*)" 'cp-0000.safetensors cp-0005.safetensors cp-0010.safetensors' 'checkpoints'

expect 0 "$trainer" list run
equal "$(awk 'NR > 1 {print $1, $2, $6}' out | tr '\n' ' ')" \
  'cp-0000.safetensors 0 whole cp-0005.safetensors 5 whole cp-0010.safetensors 10 whole ' 'the list, oldest first'
expect 0 "$trainer" list run --latest
equal "$(cat out)" run/cp-0010.safetensors 'the latest'
expect 0 "$trainer" inspect run --json
python3 -c 'import json; assert json.load(open("out"))["metadata"]["epoch"] == "10"' || fail 'inspect of a folder'

expect 0 "$trainer" eval run
said '^val_loss .*equals the stored one$' out
said '^val_accuracy .*equals the stored one$' out
expect 0 "$trainer" eval run --json
python3 - <<'P' || fail 'what is loaded is not what was saved'
import json
last = [json.loads(line) for line in open("trained") if line.startswith('{"epoch": 10,')][0]
now = json.load(open("out"))
print("trained", repr(last["val_loss"]), repr(last["val_accuracy"]))
print("loaded ", repr(now["val_loss"]), repr(now["val_accuracy"]))
assert now["val_loss"] == last["val_loss"] and now["val_accuracy"] == last["val_accuracy"]
assert now["equal"] and last["val_accuracy"] > 0.75  # 1,000 of the 60,000 images
P
# epoch 0 has nothing stored to compare with
expect 0 "$trainer" eval run/cp-0000.safetensors
said 'nothing is stored' out

# Weights alone: evaluated as well, not gone on from; what is not valid says why.
sed 's/"initial": true/"content": "weights"/' notes.json >weights.json
expect 0 "$trainer" train weights.json --checkpoint-dir weights
expect 0 "$trainer" list weights --json
python3 -c 'import json; assert [c["content"] for c in json.load(open("out"))] == ["weights"] * 2' || fail 'content'
[ "$(wc -c <weights/cp-0010.safetensors)" -lt $(($(wc -c <run/cp-0010.safetensors) / 2)) ] || fail 'weights are no smaller'
expect 0 "$trainer" eval weights
said 'equals the stored one' out
truncate -s 1000 weights/cp-0010.safetensors
expect 0 "$trainer" list weights
said '^cp-0010.safetensors .*not valid: .*cut' out
expect 0 "$trainer" list weights --latest
equal "$(cat out)" weights/cp-0005.safetensors 'the latest valid one'
mkdir empty
expect 1 "$trainer" list empty --latest
said 'no valid checkpoint' err
expect 0 "$trainer" list empty
expect 2 "$trainer" list nowhere
expect 2 "$trainer" eval empty

# Weights for elsewhere, and for the beginning of another trial; the same bytes each time.
expect 0 "$trainer" export run -o w.safetensors
expect 0 "$trainer" export run/cp-0010.safetensors -o "$work/again.safetensors"
cmp w.safetensors again.safetensors || fail 'two exports differ'
expect 1 "$trainer" export run -o e.safetensors --averaged
said 'no averaged weights' err
expect 2 "$trainer" export run
expect 74 "$trainer" export run -o nowhere/w.safetensors

cat >next.json <<'J'
{"name": "next", "config": {"dataset": {"name": "fashion-mnist", "train": 1000, "test": 1000}, "model": "mlp",
                            "epochs": 2, "init_from": "w.safetensors"},
 "grid": {"optimizer": [{"name": "sgd", "lr": {"values": [0.001, 0.1]}}]}}
J
sed 's/"train": 1000}/"train": 1000, "test": 1000}/; s/"epochs": 10/"epochs": 2, "init_from": "w.safetensors"/; s/"optimizer": "adam"/"optimizer": {"name": "sgd", "lr": 0.001}/
     s/"batch_size": 32, //; s/"every": 5, "keep": 0, "best": false, "initial": true//' notes.json >hand.json
expect 0 "$besom" plan next.json
expect 0 "$besom" run next.json -j 2
expect 0 "$trainer" check hand.json
expect 0 "$trainer" train hand.json --checkpoint-dir hand
# plan, run and train take a relative path from the folder that they are started in, and mean the same by it
trial=$(sql besom-out "SELECT key FROM trials WHERE label LIKE '%0.001%'")
cmp "besom-out/trials/$trial/cp-0002.safetensors" hand/cp-0002.safetensors || fail 'by hand and in a sweep'
python3 - <<'P' || fail 'it did not begin with the weights'
import json
first = [json.loads(line) for line in open("out") if line.startswith('{"epoch": 1,')][0]
assert first["val_accuracy"] > 0.75, first
P

# Weights that do not fit are refused before anything starts; so are others than it began with.
sed 's/"model": "mlp"/"model": "lenet5"/' next.json >misfit.json
expect 2 "$besom" plan misfit.json
said 'init_from: w.safetensors: has no tensor "0.weight"' err
expect 2 "$besom" run misfit.json --out misfit
expect 0 "$trainer" export run/cp-0005.safetensors -o w.safetensors
sed -i 's/"epochs": 2/"epochs": 3/' next.json
expect 1 "$besom" run next.json -j 2
equal "$(sql besom-out "SELECT DISTINCT reason FROM failures")" differs 'why'
said 'does not hold the weights' err
