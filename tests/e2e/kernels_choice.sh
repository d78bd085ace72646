#!/bin/sh
# Where a processor has AVX-512, its kernels are compared once with those for AVX2, and what was found is kept.
. "$(dirname "$0")/lib.sh"
unset BESOM_KERNELS OPENBLAS_CORETYPE OPENBLAS_NUM_THREADS

"$trainer" --version >out
case "$(sed -n 2p out)" in
*x86-64-v4) ;;
*)
  said '^kernels chosen as the widest that this processor runs$' out
  expect 0 env BESOM_KERNELS=v2 "$trainer" --version
  [ "$(uname -m)" != x86_64 ] || said '^kernels chosen by BESOM_KERNELS$' out
  echo "SKIPPED: this processor has no AVX-512"
  exit 77
  ;;
esac
said '^kernels chosen as the widest .*, until the first training has measured' out
[ -e cache ] && fail 'looking at the version wrote something'

printf '{"dataset": {"name": "blobs", "train": 300}, "model": "mlp", "epochs": 2}' >config.json
cat >sweep.json <<'EOF'
{"name": "choice", "config": {"dataset": {"name": "blobs", "train": 300}, "model": "mlp", "epochs": 2},
 "grid": {"optimizer": ["sgd", "adam"], "activation": ["relu", "tanh"]}}
EOF
kernels_of() { # FILE...: each set that they name
  cat "$@" | sed -n 's/.*"kernels": "\([^"]*\)".*/\1/p' | sort -u | tr '\n' ' '
}

# ---- measured once, by the first of many ----
for i in 1 2 3 4; do
  "$trainer" train config.json --checkpoint-dir "at-once.$i" --cache-dir shared >"out.$i" 2>"err.$i" &
done
wait
equal "$(ls at-once.*/cp-0002.safetensors | wc -l)" 4 'trainings that ended'
equal "$(ls cache/besom/kernels-*.json shared/kernels-*.json | wc -l)" 2 'files'
cmp cache/besom/kernels-*.json shared/kernels-*.json || fail 'the two folders have other answers'
equal "$(kernels_of at-once.*/origin.json)" "$(kernels_of shared/kernels-*.json)" 'kernels'
cp shared/kernels-*.json measured.json
expect 0 "$trainer" --version
said '^kernels chosen by measuring: x86-64-v4 took [0-9.]* ms, x86-64-v3 [0-9.]* ms' out
said "kernels $(kernels_of measured.json | tr -d ' ')\$" out
expect 0 env BESOM_KERNELS=v2 "$trainer" --version
said 'kernels x86-64-v2$' out
said '^kernels chosen by BESOM_KERNELS$' out

# ---- what is kept decides, for a whole sweep ----
plant() { # FILE V4_NS V3_NS: as if these had been measured
  python3 - "$@" <<'EOF' || fail 'nothing was planted'
import ctypes, json, sys
class Digest(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]
library = ctypes.CDLL("libxxhash.so.0")
library.XXH3_128bits.restype = Digest
library.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
path, wide, narrow = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
record = json.load(open(path))
del record["check"]
record["ns"] = {"x86-64-v4": wide, "x86-64-v3": narrow}
record["kernels"] = "x86-64-v3" if wide > 1.1 * narrow else "x86-64-v4"
text = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
digest = library.XXH3_128bits(text, len(text))
record["check"] = "%016x%016x" % (digest.high, digest.low)
open(path, "w").write(json.dumps(record, indent=2) + "\n")
EOF
}
for set in v3 v4; do
  [ $set = v3 ] && plant cache/besom/kernels-*.json 1200000 1000000
  [ $set = v4 ] && plant cache/besom/kernels-*.json 1050000 1000000
  expect 0 "$besom" run sweep.json -j 2 --out "sweep.$set"
  equal "$(kernels_of "sweep.$set"/trials/*/origin.json)" "x86-64-$set " 'kernels of a sweep'
  cmp cache/besom/kernels-*.json "sweep.$set"/cache/kernels-*.json || fail "its folder has another answer"
  expect 0 "$trainer" --version
  said "kernels x86-64-$set\$" out
  expect 0 env "BESOM_KERNELS=$set" "$besom" run sweep.json -j 2 --out "forced.$set"
  same_results "sweep.$set" "forced.$set"
done
# the folder's own answer comes first; and a trial goes on as it began, whatever it says now
sed 's/"epochs": 2/"epochs": 4/' sweep.json >longer.json
expect 0 "$besom" run longer.json -j 2 --out sweep.v3
equal "$(kernels_of sweep.v3/trials/*/origin.json)" 'x86-64-v3 ' 'kernels of a longer sweep'
rm sweep.v3/cache/kernels-*.json # it takes over the user's, which is now v4
sed 's/"epochs": 2/"epochs": 5/' sweep.json >longer.json
expect 0 "$besom" run longer.json -j 2 --out sweep.v3
equal "$(kernels_of sweep.v3/trials/*/origin.json)" 'x86-64-v3 ' 'kernels of trials that go on'
expect 0 env BESOM_KERNELS=v3 "$besom" run longer.json -j 2 --out whole.v3
same_results sweep.v3 whole.v3

# ---- what is damaged is measured anew; what cannot be kept does not count ----
truncate -s 100 cache/besom/kernels-*.json
expect 0 "$trainer" train config.json --checkpoint-dir damaged
said '"check"' "$(ls cache/besom/kernels-*.json)"
: >file
expect 0 env -u HOME XDG_CACHE_HOME="$work/file" "$trainer" train config.json --checkpoint-dir nowhere --cache-dir file/cache
equal "$(kernels_of nowhere/origin.json)" 'x86-64-v4 ' 'kernels where nothing can be kept'
echo "kernels_choice: ok"
