#!/bin/sh
# What the built-in trainer is for: it learns real images.  LeNet-5 with Adam on all 60,000 of
# Fashion-MNIST reaches 0.87 within 5 epochs; ten tanh layers with Xavier and plain SGD learn; 1,000
# images are enough for 784-512-10 with dropout to get to 0.78; a few hundred for convolutional networks with
# batch normalization, with and without residual blocks; a saved model evaluates to the same bits.
. "$(dirname "$0")/lib.sh"

best() { # FIELD: the largest value in the records of `out`
  sed -n "s/.*\"$1\": *\([0-9.e-]*\).*/\1/p" out | sort -g | tail -n 1
}
at_least() { # VALUE LIMIT WHAT
  awk -v v="$1" -v l="$2" 'BEGIN { exit !(v != "" && v + 0 >= l + 0) }' || fail "$3: $1, want at least $2"
  echo "$3: $1 (at least $2)"
}

cat >lenet.json <<'J'
{"dataset": "fashion-mnist", "model": "lenet5", "optimizer": "adam", "activation": "relu", "init": "he_normal",
 "epochs": 5, "batch_size": 64}
J
expect 0 "$trainer" train lenet.json --checkpoint-dir lenet
at_least "$(best val_accuracy)" 0.87 'LeNet-5, Adam, 5 epochs of 60,000 images'

cat >deep.json <<'J'
{"dataset": {"name": "fashion-mnist", "train": 5000, "test": 1000}, "model": "deep10", "optimizer": {"name": "sgd", "lr": 0.01},
 "activation": "tanh", "init": "xavier_normal", "epochs": 4}
J
expect 0 "$trainer" train deep.json --checkpoint-dir deep
at_least "$(best val_accuracy)" 0.7 'ten tanh layers, Xavier, SGD'

cat >mlp.json <<'J'
{"dataset": {"name": "fashion-mnist", "train": 1000, "test": 1000}, "model": "mlp", "optimizer": "adam", "activation": "relu",
 "epochs": 10, "batch_size": 32}
J
expect 0 "$trainer" train mlp.json --checkpoint-dir mlp
at_least "$(best val_accuracy)" 0.78 '784-512-10, 1,000 images'

cat >vgg.json <<'J'
{"dataset": {"name": "fashion-mnist", "train": 512, "test": 500}, "model": "vgg-small", "batch_norm": true,
 "epochs": 6, "batch_size": 32}
J
expect 0 "$trainer" train vgg.json --checkpoint-dir vgg
at_least "$(best val_accuracy)" 0.7 'vgg-small with batch normalization, 512 images'

cat >resnet.json <<'J'
{"dataset": {"name": "fashion-mnist", "train": 512, "test": 500}, "model": "resnet-small",
 "optimizer": {"name": "adam", "lr": 0.002}, "loss": {"label_smoothing": 0.1}, "epochs": 12, "batch_size": 32}
J
expect 0 "$trainer" train resnet.json --checkpoint-dir resnet
at_least "$(best val_accuracy)" 0.65 'resnet-small, 512 images'

for checkpoint in lenet/cp-0005 deep/cp-0004 mlp/cp-0010 vgg/cp-0006 resnet/cp-0012; do
  expect 0 "$trainer" eval "$checkpoint.safetensors" # fails when a bit differs
done
