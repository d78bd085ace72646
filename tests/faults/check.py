#!/usr/bin/env python3
"""Does `besom check` give each trainer the verdict that it deserves, with any seed?

The trainers of examples/trainers, good and bad, each with several seeds; besom-trainer itself, with
configs that have much state; trainers that fail in other ways, written here.  A case is one check.  Only its
verdict, exit status and what it leaves behind count: how long it takes depends on the machine."""
import json
import os
import pathlib
import signal

from campaign import Campaign, Failed, alive, orphans, program, run_besom, start_besom, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "trainers"

# trainer, more options, verdict, what the explanation must say
SHIPPED = [
    ("good", [], "exact", "bits of the uninterrupted run"),
    ("told_before_saved", [], "tells-once", "not told again on resuming"),
    ("generator_not_saved", [], "does-not-resume", "val_accuracy"),
    ("order_restarted", [], "does-not-resume", "val_accuracy"),
    ("torn_save", [], "dies", "left with status 1"),
    ("saved_before_told", [], "skips-epochs", "was never told"),
    ("starts_over", [], "starts-over", "began at epoch 1 again"),
    ("rounded_state", [], "equal-within", "--tolerance"),
    ("rounded_state", ["--tolerance", "1e-6"], "equal-within", "relative difference"),
]

# Small trainers by hand: shell, so that they are quick.
BY_HAND = {
    "chance": ("not-deterministic", "differ already", r'''
for e in 1 2 3 4 5 6; do echo "{\"epoch\": $e, \"x\": 0.$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}"; done'''),
    "fails": ("fails", "then it left with status 3", "echo no data >&2; exit 3"),
    "silent": ("fails", "told no epoch", "echo hello"),
    "hole": ("fails", "never told epoch 2", r'''echo '{"epoch": 1, "x": 1}'; echo '{"epoch": 3, "x": 1}' '''),
    "too_far": ("repeats-epochs", "ends with epoch 6", r'''
f=$BESOM_CHECKPOINT_DIR/n; n=0; [ -f "$f" ] && n=$(cat "$f")
for i in 1 2 3 4 5 6; do n=$((n + 1)); echo "{\"epoch\": $n, \"x\": $n}"; echo $n >"$f.tmp"; mv "$f.tmp" "$f"; done'''),
    "hangs": ("hangs", "not done after", r'''
f=$BESOM_CHECKPOINT_DIR/n; [ -f "$f" ] && sleep 1000
for n in 1 2 3 4 5 6; do echo $n >"$f"; echo "{\"epoch\": $n, \"x\": $n}"; sleep 0.01; done'''),
    "gives_up": ("dies", "it said that it failed: torn", r'''
f=$BESOM_CHECKPOINT_DIR/n; [ -f "$f" ] && echo '{"event": "failed", "reason": "x", "message": "torn"}' && exit 0
for n in 1 2 3 4 5 6; do echo $n >"$f"; echo "{\"epoch\": $n, \"x\": $n}"; sleep 0.01; done'''),
    "idle": ("dies", "status 85 again and again", r'''
f=$BESOM_CHECKPOINT_DIR/n; [ -f "$f" ] && exit 85
for n in 1 2 3 4 5 6; do echo $n >"$f"; echo "{\"epoch\": $n, \"x\": $n}"; sleep 0.01; done'''),
    # A kill at its last change comes too late half of the time: it left by itself, its last line lost all the same.
    "late": ("exact", "bits of", r'''
f=$BESOM_CHECKPOINT_DIR/n; n=0; [ -f "$f" ] && n=$(cat "$f")
i=0; while [ $i -lt $n ]; do i=$((i + 1)); echo "{\"epoch\": $i, \"x\": $i}"; done
while [ $n -lt 6 ]; do n=$((n + 1)); echo $n >"$f.tmp"; mv "$f.tmp" "$f"; echo "{\"epoch\": $n, \"x\": $n}"; done
: >"$BESOM_CHECKPOINT_DIR/end"'''),
    # Nothing is wrong with leaving a daemon, nor with one that ignores SIGTERM.
    "deaf": ("exact", "bits of", r'''
trap '' TERM; setsid sleep 1000 >/dev/null 2>&1 </dev/null &
f=$BESOM_CHECKPOINT_DIR/n; n=0; [ -f "$f" ] && n=$(cat "$f")
i=0; while [ $i -lt $n ]; do i=$((i + 1)); echo "{\"epoch\": $i, \"x\": $i}"; done
while [ $n -lt 6 ]; do n=$((n + 1)); echo "{\"epoch\": $n, \"x\": $n}"; echo $n >"$f.tmp"; mv "$f.tmp" "$f"; done'''),
}

IMAGES = {"name": "fashion-mnist", "train": 600, "test": 200}

# Configs of besom-trainer in which much has to be saved: each is exact.
STATEFUL = [
    ("batch norm, ema, augment, plateau", {
        "dataset": {**IMAGES, "validation": 100}, "model": "lenet5", "batch_norm": True, "ema": 0.9,
        "augment": {"crop": 2, "horizontal_flip": 0.5, "cutout": 8, "mixup": 0.2},
        "schedule": {"name": "reduce_on_plateau", "patience": 0, "threshold": 0.5}, "epochs": 6}),
    ("dropout, nadam, one cycle, saved within epochs", {
        "dataset": IMAGES, "model": "mlp", "dropout": 0.3, "optimizer": "nadam", "schedule": "one_cycle",
        "checkpoint": {"every": 2, "every_batches": 5}, "epochs": 6}),
    ("adadelta, l1, clipping, stops early", {
        "dataset": {"name": "spirals"}, "model": {"layers": [{"type": "dense", "units": 32}, {"type": "dense", "units": 3}]},
        "optimizer": "adadelta", "l1": 1e-4, "clip_norm": 1,
        "stop": {"patience": 1, "min_delta": 10}, "epochs": 6}),
]


def verdict_of(words, seed, env):
    done = run_besom("check", "--json", "-q", "--seed", seed, *words, env=env, check=(0, 1))
    return done, json.loads(done.out)


def case(c, tmp, name, words, verdict, says, seed):
    """One check; `tmp` is where it works, and must be empty afterwards."""
    try:
        done, answer = verdict_of(words, seed, {"TMPDIR": str(tmp)})
    except (Failed, ValueError) as failure:
        c.failed(f"{name}, seed {seed}: {failure}")
        return
    passes = verdict == "exact" or "--tolerance" in map(str, words)
    wrong = []
    if answer["verdict"] != verdict:
        wrong.append(f"verdict {answer['verdict']}, want {verdict}: {answer['explanation']}")
    elif says not in answer["explanation"]:
        wrong.append(f"no \"{says}\" in: {answer['explanation']}")
    if (done.status == 0) != passes or answer["passed"] != passes:
        wrong.append(f"exit status {done.status}, passed {answer['passed']}")
    if os.listdir(tmp):
        wrong.append(f"left behind: {os.listdir(tmp)}")
    if orphans(tmp):
        wrong.append(f"still running: {alive(tmp)}")
    c.require(not wrong, f"{name}: {'; '.join(wrong)}\n  again: besom check --seed {seed} "
                         f"{' '.join(map(str, words))}")


def interrupted(c, tmp, seed):
    """Ctrl-C ends it at once, and nothing stays."""
    process = start_besom("check", "--seed", seed, "--", "sh", "-c",
                          "echo '{\"epoch\": 1, \"x\": 1}'; setsid sleep 1000 & sleep 1000",
                          env={"TMPDIR": str(tmp)})
    if not wait_for(lambda: len(alive(tmp)) >= 3, 30):
        c.failed("the trainer did not start")
        process.kill()
        return
    process.send_signal(signal.SIGINT)
    status = process.wait(timeout=60)
    left = orphans(tmp)
    c.require(status == 130 and not left and not os.listdir(tmp),
              f"Ctrl-C: status {status}, left {left} {os.listdir(tmp)}")


def documented(c):
    """The Python trainer of docs/protocol.md, as it stands there, and a config for it."""
    text = (ROOT / "docs" / "protocol.md").read_text()
    file, config = c.folder / "train.py", c.folder / "documented.json"
    file.write_text(text.split("```python\n", 1)[1].split("```", 1)[0])
    config.write_text('{"lr": 0.1}')
    file.chmod(0o755)
    return ["--rounds", 6, "--config", config, "--", file]


def cases(c):
    """One after the other, again and again, each time with another seed."""
    trainer = program("besom-trainer")
    words = documented(c)
    while True:
        for name, options, verdict, says in SHIPPED:
            # what is wrong comes out in the first round, as a rule, and ends the check; what is right takes all rounds
            rounds = 6 if verdict in ("exact", "equal-within") else 16
            yield name, ["--rounds", rounds, *options, "--", EXAMPLES / f"{name}.py"], verdict, says
        for name, (verdict, says, script) in BY_HAND.items():
            yield name, ["--rounds", 6, "--timeout", 20 if name != "hangs" else 3, "--", "sh", "-c", script], \
                verdict, says
        yield "documented", words, "exact", "bits of"
        for number, (name, config) in enumerate(STATEFUL):
            file = c.folder / f"config-{number}.json"
            file.write_text(json.dumps(config))
            yield name, ["--rounds", 6, "--config", file, "--", trainer, "train", "{config}"], "exact", "bits of"


def only(parser):
    parser.add_argument("--only", metavar="NAME", help="the cases of this name alone")


def main():
    c = Campaign("check", len(SHIPPED) + len(BY_HAND) + len(STATEFUL) + 2, __doc__.splitlines()[0], only)
    tmp = c.folder / "tmp"
    tmp.mkdir()
    if c.args.only is None:
        interrupted(c, tmp, 1)
    for name, words, verdict, says in cases(c):
        if not c.more():
            break
        if c.args.only in (None, name):
            case(c, tmp, name, words, verdict, says, c.random.randrange(1_000_000))
            c.detail(name)
    c.finish()


if __name__ == "__main__":
    main()
