#!/bin/sh
# Makes the sweeps whose pages report.mjs looks at: one of real networks with looks at their layers, one of 100
# trials, 50 epochs and 8 metrics, and one whose every name wants to be more than text.
. "$(dirname "$0")/lib.sh"

cat >real.json <<'EOF'
{
  "name": "real",
  "description": "small networks that were looked into",
  "config": { "dataset": {"name": "fashion-mnist", "train": 1000, "test": 300}, "epochs": 3, "batch_size": 50, "inspect": {"every": 1},
    "model": {"layers": ["flatten", {"type": "dense", "units": 24}, "activation", {"type": "dense", "units": 24}, "activation", {"type": "dense", "units": 10}]} },
  "grid": { "activation": ["tanh", "relu"], "init": [{"name": "normal", "std": {"values": [0.02, 1]}}, "he_normal"],
    "optimizer": [{"name": "sgd", "lr": {"values": [0.05, 1e30]}}, "adam"] },
  "replicates": 2
}
EOF
cat >big.json <<EOF
{
  "name": "big",
  "config": {"epochs": 50},
  "grid": {"optimizer": [{"name": "sgd", "lr": {"values": [0.01, 0.1]}}, {"name": "momentum", "lr": 0.02}, {"name": "rmsprop", "lr": 0.001}, {"name": "adam", "lr": 0.001}],
    "activation": ["tanh", "relu"], "batch_size": [64, 256]},
  "replicates": 5,
  "objective": {"metric": "val_accuracy", "goal": "maximize"},
  "trainer": ["awk", "-f", "$tests/curves.awk", "{seed}", "50", "{optimizer.name}", "{optimizer.lr}", "{activation}", "{batch_size}"]
}
EOF
cat >hostile.json <<EOF
{
  "name": "hostile",
  "description": "</script><img src=x onerror=alert(1)>",
  "config": {"epochs": 2},
  "grid": {"<b>axis</b>": ["</script><script>window.hacked = 1</script>", "<img src=x onerror='window.hacked = 2'>", "{a|rich}{value} \${x}", "\u202egnp.exe", "line\nbreak\ttab", "__proto__", "$(printf 'long%.0s' $(seq 100))"],
    "constructor": ["toString", "\"quoted\" & 'quoted'"]},
  "replicates": 2,
  "objective": {"metric": "<img src=x onerror=window.hacked=3>", "goal": "maximize"},
  "trainer": ["sh", "-c", "echo \"</script><img src=x onerror='window.hacked = 4'>\"; [ \$1 != 2 ] || exit 3; for e in 1 2; do echo \"{\\\\\"epoch\\\\\": \$e, \\\\\"<img src=x onerror=window.hacked=3>\\\\\": 0.\$e, \\\\\"__proto__\\\\\": \$e}\"; done", "sh", "{seed}"]
}
EOF
"$besom" run real.json -j 2 -q --out real-out >/dev/null 2>err
[ $? = 1 ] || fail "$(cat err)" # those with a rate of 1e30 diverge
expect 0 "$besom" run big.json -j 4 -q --out big-out
"$besom" run hostile.json -j 2 -q --out hostile-out --retries 0 >/dev/null 2>err
[ $? = 1 ] || fail "$(cat err)"
for name in real big hostile; do
  "$besom" report "$name" --out "$name-out" -o "$name.html" 2>err || { grep -q 'built without' err && skip 'besom was built without it'; fail "$(cat err)"; }
  "$besom" report "$name" --out "$name-out" --json >"$name.data"
  "$besom" compare "$name" --out "$name-out" --rows 0 --json >"$name.compare"
done
node "$tests/report.mjs" "$work" || fail 'the page'
node "$tests/speed.mjs" "$work" || fail 'how large it is, or how soon it answers'
