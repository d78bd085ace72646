"""The rules of the trainer one by one: optimizers, averages of weights, activations, schedules; and, by
parity_inits.py, initial weights.

Both sides get the same float32 numbers; PyTorch computes in float64.  An error is |ours - theirs|
divided by the larger of 1 and |theirs|; for rates of schedules it is relative.  Lion, which PyTorch does
not have, is written down here from its paper.
"""
import torch

from parity_common import drive, error, note, spelled
import parity_inits

N, STEPS = 1024, 100


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                b1, b2 = group["betas"]
                p.data.mul_(1 - group["lr"] * group["weight_decay"])
                p.data.add_(torch.sign(b1 * m + (1 - b1) * p.grad), alpha=-group["lr"])
                m.mul_(b2).add_(p.grad, alpha=1 - b2)


class NAdam(torch.optim.Optimizer):
    """As torch.optim.NAdam is documented.  The code of PyTorch 1.13 has one mu too many in the product
    of step t + 1 (mu_product * mu * mu_next, mu_product having mu in it already)."""

    def __init__(self, params, weight_decay=0.0):
        super().__init__(params, dict(weight_decay=weight_decay))

    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                s = self.state[p] or self.state.setdefault(p, {})
                t = s["t"] = s.get("t", 0) + 1
                g = p.grad + group["weight_decay"] * p.data
                s["m"] = 0.9 * s.get("m", 0.0) + 0.1 * g
                s["v"] = 0.999 * s.get("v", 0.0) + (1 - 0.999) * g * g
                mu, after = (0.9 * (1 - 0.5 * 0.96 ** (k * 0.004)) for k in (t, t + 1))
                s["product"] = s.get("product", 1.0) * mu
                m = after * s["m"] / (1 - s["product"] * after)
                m += (1 - mu) * g / (1 - s["product"])
                p.data.sub_(0.002 * m / ((s["v"] / (1 - 0.999 ** t)).sqrt() + 1e-8))


def optimizers():
    o = torch.optim
    cases = [
        ("sgd", {}, o.SGD, dict(lr=0.01)),
        ("momentum", {}, o.SGD, dict(lr=0.01, momentum=0.9)),
        ("momentum", {"dampening": 0.3}, o.SGD, dict(lr=0.01, momentum=0.9, dampening=0.3)),
        ("nesterov", {}, o.SGD, dict(lr=0.01, momentum=0.9, nesterov=True)),
        ("adagrad", {}, o.Adagrad, {}),
        ("rmsprop", {}, o.RMSprop, {}),
        ("adam", {}, o.Adam, {}),
        ("adamw", {}, o.AdamW, {}),
        ("adamax", {}, o.Adamax, {}),
        ("nadam", {}, NAdam, {}),
        ("adadelta", {}, o.Adadelta, {}),
        ("lion", {}, Lion, {}),
    ]
    cases += [(n, {**k, "weight_decay": 0.125}, c, {**a, "weight_decay": 0.125})
              for n, k, c, a in cases]
    for name, keys, cls, args in cases:
        compare_optimizer({"optimizer": {"name": name, **keys}}, cls, args)
    clip = torch.nn.utils
    sgd = {"optimizer": "sgd"}
    compare_optimizer({**sgd, "clip_norm": 7.5}, o.SGD, dict(lr=0.01),
                      lambda p: clip.clip_grad_norm_(p, 7.5))
    compare_optimizer({**sgd, "clip_value": 0.5}, o.SGD, dict(lr=0.01),
                      lambda p: clip.clip_grad_value_(p, 0.5))


def compare_optimizer(config, cls, args, clip=lambda p: None):
    torch.manual_seed(1)
    w = torch.randn(N)
    g = torch.randn(STEPS, N) * torch.logspace(-2, 1, N)
    ours = drive("optimizer", config, N, STEPS, arrays=(w, g)).view(STEPS, N)
    p = torch.nn.Parameter(w.double())
    optimizer = cls([p], **args)
    theirs = []
    for step in range(STEPS):
        p.grad = g[step].double()
        clip([p])
        optimizer.step()
        theirs.append(p.data.clone())
    what = spelled(config)
    note("optimizer", what, "1 step", error(ours[0], theirs[0]), 1e-6)
    note("optimizer", what, f"{STEPS} steps", error(ours, torch.stack(theirs)), 1e-5)


def averages():
    from torch.optim.swa_utils import AveragedModel
    torch.manual_seed(4)
    w = torch.randn(1, N) + torch.cat([torch.zeros(1, N), 0.1 * torch.randn(STEPS, N)]).cumsum(0)
    for decay in (0.5, 0.9, 0.999):
        ours = drive("ema", {"ema": decay}, N, STEPS, arrays=(w,)).view(STEPS, N)
        model = torch.nn.Linear(N, 1, bias=False).double()
        averaged = AveragedModel(model, avg_fn=lambda e, p, count: decay * e + (1 - decay) * p)
        theirs = []
        for row in w.double():
            model.weight.data[0] = row
            averaged.update_parameters(model)  # the first time it copies
            theirs.append(averaged.module.weight.data[0].clone())
        theirs = torch.stack(theirs[1:])
        note("ema", f"ema: {decay}", "1 step", error(ours[0], theirs[0]), 1e-6)
        note("ema", f"ema: {decay}", f"{STEPS} steps", error(ours, theirs), 1e-5)


def activations():
    nn = torch.nn
    cases = [
        ("sigmoid", nn.Sigmoid()), ("tanh", nn.Tanh()), ("relu", nn.ReLU()),
        ("leaky_relu", nn.LeakyReLU()), ("elu", nn.ELU()), ("prelu", nn.PReLU().double()),
        ("gelu", nn.GELU()), ("silu", nn.SiLU()), ("selu", nn.SELU()), ("mish", nn.Mish()),
        ("softplus", nn.Softplus()), ("hardswish", nn.Hardswish()), ("relu6", nn.ReLU6()),
    ]
    # every range from 1e-6 to 1000, both signs, 0, and the corners of the pieces but hardswish's -3 and
    # 3, where it has no derivative to compare
    x = torch.cat([torch.linspace(-30, 30, 4097)[:-1], torch.logspace(-6, 3, 1024),
                   -torch.logspace(-6, 3, 1024), torch.tensor([0.0, 6.0] * 8)])
    x = x[(x.abs() != 3)]
    x = x[:x.numel() // 16 * 16]
    torch.manual_seed(2)
    dy = torch.rand(x.numel()) * 2 - 1
    for name, module in cases:
        out = drive("activation", {"activation": name}, x.numel(), arrays=(x, dy)).view(2, -1)
        leaf = x.double().requires_grad_()
        y = module(leaf)
        y.backward(dy.double())
        note("activation", name, "forward", error(out[0], y.detach()), 1e-6)
        note("activation", name, "backward", error(out[1], leaf.grad), 1e-6)


def schedules():
    s = torch.optim.lr_scheduler
    steps, epochs, lr = 7, 12, 0.25
    from math import exp
    cases = [  # name, keys, scheduler, whether it counts steps
        ("constant", {}, lambda o: s.LambdaLR(o, lambda t: 1.0), False),
        ("exponential", {"k": 0.2}, lambda o: s.ExponentialLR(o, exp(-0.2)), False),
        ("inverse", {"k": 0.2}, lambda o: s.LambdaLR(o, lambda t: 1 / (1 + 0.2 * t)), False),
        ("step", {"step_size": 5}, lambda o: s.StepLR(o, 5), False),
        ("cosine", {}, lambda o: s.CosineAnnealingLR(o, epochs), False),
        ("cosine", {"T_max": 5, "eta_min": 0.01},
         lambda o: s.CosineAnnealingLR(o, 5, eta_min=0.01), False),
        ("one_cycle", {}, lambda o: s.OneCycleLR(o, lr, epochs * steps, cycle_momentum=False), True),
        ("one_cycle", {"pct_start": 0.45, "div_factor": 10, "final_div_factor": 50},
         lambda o: s.OneCycleLR(o, lr, epochs * steps, pct_start=0.45, div_factor=10,
                                final_div_factor=50, cycle_momentum=False), True),
    ]
    def rates(make, by_step):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
        scheduler = make(optimizer)
        theirs = []
        for step in range(epochs * steps):
            theirs.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            last = step + 1 == epochs * steps
            if not last and (by_step or (step + 1) % steps == 0):
                scheduler.step()
        return torch.tensor(theirs, dtype=torch.float64)

    ramp = rates(lambda o: s.LinearLR(o, 1 / (3 * steps), total_iters=3 * steps - 1), True) / lr
    for name, keys, make, by_step in cases:
        for warmup in ({}, {"warmup": 3}):  # a factor, as ChainedScheduler has it
            config = {"schedule": {"name": name, **keys, **warmup}, "epochs": epochs,
                      "optimizer": {"name": "sgd", "lr": lr}}
            ours = drive("schedule", config, steps, dtype=torch.float64)
            theirs = rates(make, by_step) * (ramp if warmup else 1)
            what = spelled({"schedule": name, **keys, **warmup})
            worst = ((ours - theirs).abs() / theirs.abs().clamp(min=1e-12)).max().item()
            note("schedule", what, "all steps", worst, 1e-9)


def plateaus():
    """Metrics that fall or rise, stall, and jump about: every branch of the rule is taken many times."""
    count, lr = 400, 0.25
    torch.manual_seed(6)
    steps = torch.randn(count, dtype=torch.float64)
    losses = {
        "falling": 2 * torch.exp(-torch.arange(count) / 60.0) + 0.05 * steps,
        "noise": 1 + 0.1 * steps,
        "stairs": 1 / (1 + torch.arange(count) // 25) + 1e-5 * steps,
        "walk": 3 + (0.1 * steps).cumsum(0),
        "equal": torch.ones(count),
    }
    cases = [
        {}, {"patience": 3, "factor": 0.5}, {"patience": 0, "factor": 0.9, "cooldown": 4},
        {"patience": 2, "factor": 0.5, "threshold": 0.05, "min_lr": 0.001},
        {"patience": 2, "factor": 0.7, "threshold": 0.02, "threshold_mode": "abs", "cooldown": 1},
        {"patience": 1, "factor": 0.8, "eps": 0.01},
        {"metric": "train_loss", "patience": 4, "factor": 0.6},
        {"metric": "val_accuracy", "patience": 3, "factor": 0.5},
        {"metric": "val_accuracy", "patience": 1, "factor": 0.5, "threshold": 0.01, "threshold_mode": "abs"},
    ]
    for keys in cases:
        worst = reductions = 0
        for values in losses.values():
            up = keys.get("metric", "").endswith("accuracy")
            values = (4 - values if up else values).double()
            config = {"optimizer": {"name": "sgd", "lr": lr},
                      "schedule": {"name": "reduce_on_plateau", **keys}}
            ours = drive("plateau", config, count, arrays=(values,), dtype=torch.float64)
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
            args = {"mode": "max" if up else "min", **{k: v for k, v in keys.items() if k != "metric"}}
            scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **args)
            theirs = []
            for value in values.tolist():
                scheduler.step(value)
                theirs.append(optimizer.param_groups[0]["lr"])
            theirs = torch.tensor(theirs, dtype=torch.float64)
            worst = max(worst, ((ours - theirs).abs() / theirs).max().item())
            reductions += (theirs.diff() != 0).sum().item()
        what = spelled({"schedule": "reduce_on_plateau", **keys})
        assert reductions >= 5, what  # else it compares nothing
        note("schedule", what, f"{len(losses)} sequences of {count} epochs", worst, 1e-12)


def run():
    optimizers()
    averages()
    activations()
    schedules()
    plateaus()
    parity_inits.run()
