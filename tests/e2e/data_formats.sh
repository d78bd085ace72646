#!/bin/sh
# One set in every format: where the content is the same, so is every metric, to the bit.  Validation,
# normalization and balance survive an interruption and are what eval compares with.
. "$(dirname "$0")/lib.sh"
python3 "$here/data_formats.py" sets || fail 'no sets'

rest='"model": "lenet5", "init": "he_normal", "epochs": 2, "batch_size": 50'
train() { # NAME DATASET: trains in folder NAME, its records without timings to NAME.records
  printf '{"dataset": %s, %s}' "$2" "$rest" >"$1.json"
  expect 0 "$trainer" train "$1.json" --checkpoint-dir "$1"
  grep '^{"epoch"' out | sed 's/, "seconds".*//' >"$1.records"
  equal "$(wc -l <"$1.records")" 2 "records of $1"
  expect 0 "$trainer" eval "$1/cp-0002.safetensors" # fails when a bit differs
}
same() { # NAME NAME
  cmp "$1.records" "$2.records" || fail "$1 and $2 are the same images, and their metrics differ"
}

train idx '"./sets/idx"'
train emnist '{"name": "./sets/emnist", "split": "mnist"}'
train npy '"./sets/npy"'
train npy-float '"./sets/npy-float"'
train csv '{"name": "./sets/csv", "shape": [1, 28, 28]}'
for format in emnist npy npy-float csv; do
  same idx $format
done
printf '{"dataset": {"train": 600, "test": 200}, %s}' "$rest" >whole.json
expect 0 "$trainer" train whole.json --checkpoint-dir whole
grep '^{"epoch"' out | sed 's/, "seconds".*//' >whole.records
same idx whole
# The same content has the same identity, but bytes are no floats.
hashes() {
  for name in "$@"; do
    "$trainer" inspect --json "$name/cp-0002.safetensors" | grep -o '"dataset": *"[0-9a-f]*"'
  done | sort -u | wc -l
}
equal "$(hashes idx emnist npy)" 1 'identities of the same bytes'
equal "$(hashes npy-float csv)" 1 'identities of the same floats'
equal "$(hashes npy npy-float)" 2 'identities of bytes and floats'

train cifar '"./sets/cifar-10"'
train fine '"./sets/cifar-100"'
train coarse '{"name": "./sets/cifar-100", "labels": "coarse"}'
rest='"model": {"layers": ["flatten", {"type": "dense", "units": 32, "activation": "relu"}, {"type": "dense", "units": 10}]},
  "epochs": 2, "batch_size": 50'
for name in blobs sparse; do
  train $name "{\"name\": \"$name\", \"classes\": 10, \"validation\": 100, \"normalize\": true}"
done
rest=$(printf '%s' "$rest" | sed 's/"units": 10/"units": 3/')
train spirals '"spirals"'

# What is taken from a set is a part of the trial, is told with the records, and survives an interruption.
rest='"model": "mlp", "epochs": 2, "batch_size": 50'
part='"train": 400, "validation": 100, "balanced": true, "normalize": true'
train part-idx "{\"name\": \"./sets/idx\", $part}"
train part-npy "{\"name\": \"./sets/npy\", $part}"
same part-idx part-npy
said '"test_accuracy"' part-idx.records
expect 0 "$trainer" eval part-idx/cp-0002.safetensors
said '^test_loss .*equals the stored one' out
expect 0 "$trainer" eval --json part-idx/cp-0002.safetensors
said '"stored": {"val_loss": .*"test_accuracy": .*"equal": true' out
expect 0 "$trainer" inspect part-idx/cp-0002.safetensors
said 'val_accuracy .*test_accuracy' out
sed 's/"epochs": 2/"epochs": 1/' part-idx.json >once.json
expect 0 "$trainer" train once.json --checkpoint-dir once
expect 0 "$trainer" train part-idx.json --checkpoint-dir once
cmp once/cp-0002.safetensors part-idx/cp-0002.safetensors || fail 'one epoch and one more are not two'
train given '{"name": "./sets/idx", "validation": 0.2, "normalize": {"mean": 0.286, "std": [0.353]}}'
[ "$(grep -c test_loss given.records)" = 2 ] || fail 'no test_loss'
train plain '"./sets/idx"'
! grep -q test_loss plain.records || fail 'test_loss without validation images'

# Bad data is told before anything starts, with the file and the place.
bad() { # PATTERN DATASET
  printf '{"name": "data", "config": {"dataset": %s, "epochs": 1}}' "$2" >bad.json
  expect 2 "$besom" run bad.json --out out-bad
  said "$1" err
}
bad 'multiple of the 10 classes' '{"name": "./sets/idx", "balanced": true, "train": 15}'
bad 'validation' '{"name": "./sets/idx", "validation": 600}'
bad 'did you mean "normalize"' '{"name": "./sets/idx", "normalise": true}'
bad '"split" is for EMNIST' '{"name": "./sets/npy", "split": "letters"}'
bad 'no column 800 for the label' '{"name": "./sets/csv", "label": 800}'
truncate -s -1 sets/npy/train-images.npy
bad 'train-images.npy: truncated' '"./sets/npy"'
truncate -s -1 sets/cifar-10/data_batch_3.bin
bad 'data_batch_3.bin: truncated: record 119' '"./sets/cifar-10"'
printf '3,oops\r\n' >>sets/csv/test.csv
bad 'test.csv:201: column 2: "oops"' '"./sets/csv"'
cp sets/idx/* sets/cifar-100
bad 'two formats, mnist and cifar-100' '"./sets/cifar-100"'
[ -z "$(ls out-bad/trials 2>/dev/null)" ] || fail 'something was started'
