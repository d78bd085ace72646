"""Whole networks: the same weights and batches through both; logits and loss in both modes, gradients, and
all tensors after 100 steps.

The gradient of a layer's input is that of whatever lies below it; where a layer without parameters would come
first, a convolution stands in front of it.
"""
import json
import struct

import torch
from torch import nn

import parity_models
from parity_common import as_bytes, drive_raw, note, tensor_error

STEPS = 100


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, shape, dtype=torch.float32):
        count = 1
        for n in shape:
            count *= n
        size = count * torch.empty((), dtype=dtype).element_size()
        part = bytearray(self.data[self.at:self.at + size])
        self.at += size
        return torch.frombuffer(part, dtype=dtype).view(shape).double() if count else torch.zeros(shape)

    def result(self, n, classes):
        return self.take((n, classes)), self.take((), torch.float64).item()


def tensor_list(config, shape, classes):
    """[{"name", "buffer", "shape"}], and the values that our initialization gives them."""
    out = drive_raw("tensors", config, *shape, classes)
    line, values = out.split(b"\n", 1)
    tensors, reader = json.loads(line), Reader(values)
    return tensors, {t["name"]: reader.take(t["shape"]) for t in tensors}


class Batch:
    def __init__(self, x, labels, others=None, share=1.0):
        self.x, self.labels, self.share = x, labels, share
        self.others = others if others is not None else torch.zeros_like(labels)

    def bytes(self):
        return struct.pack("=If", len(self.x), self.share) + as_bytes(self.x) + as_bytes(
            self.labels.to(torch.uint8)) + as_bytes(self.others.to(torch.uint8))

    def target(self, classes):
        share = torch.tensor(self.share, dtype=torch.float32).double()  # as ours has it
        one_hot = torch.nn.functional.one_hot
        return share * one_hot(self.labels, classes) + (1 - share) * one_hot(self.others, classes)


def our_training(config, shape, classes, tensors, values, batches):
    most = max(len(b.x) for b in batches)
    data = b"".join(as_bytes(values[t["name"]].float()) for t in tensors)
    out = Reader(drive_raw("train", config, *shape, classes, most, len(batches),
                           data=data + b"".join(b.bytes() for b in batches)))
    run = {"before": out.result(len(batches[0].x), classes), "train": [], "gradients": {}}
    for i, batch in enumerate(batches):
        run["train"].append(out.result(len(batch.x), classes))
        if i == 0:
            run["gradients"] = {t["name"]: out.take(t["shape"]) for t in tensors if not t["buffer"]}
    run["after"] = out.result(len(batches[-1].x), classes)
    run["tensors"] = {t["name"]: out.take(t["shape"]) for t in tensors}
    assert out.at == len(out.data)
    return run


def penalty(config, model):
    """l2 and l1 of the weights of dense and conv2d layers."""
    weights = [m.weight for m in model.modules()
               if isinstance(m, (torch.nn.Linear, torch.nn.Conv2d))]
    return sum(config.get("l2", 0) * w.square().sum() + config.get("l1", 0) * w.abs().sum() for w in weights)


class Kinks:
    """How close a forward pass comes to a point without a derivative.  There the gradient is that of either
    side, as rounding has it, and nothing can be compared: such a batch is drawn again."""
    MARGIN = 5e-6

    def __init__(self, model):
        self.model, self.closest, self.any = model, 1.0, False
        near = {nn.ReLU: lambda m, x: x.abs(), nn.LeakyReLU: lambda m, x: x.abs(), nn.PReLU: lambda m, x: x.abs(),
                nn.SELU: lambda m, x: x.abs(), nn.ELU: lambda m, x: x.abs(),
                nn.ReLU6: lambda m, x: torch.minimum(x.abs(), (x - 6).abs()),
                nn.Hardswish: lambda m, x: (x.abs() - 3).abs(),
                nn.MaxPool2d: self.pool_gaps, parity_models.Maxout: self.maxout_gaps}
        for module in model.modules():
            if type(module) in near:
                self.any = True
                module.register_forward_pre_hook(lambda m, x, near=near[type(module)]: self.look(near(m, x[0])))

    def look(self, distances):
        self.closest = min(self.closest, distances.min().item())

    @staticmethod
    def gaps(x, dim):
        """Between the largest and the next; equal ones, as the zeros of a relu, have no gap."""
        top = x.topk(2, dim).values
        gap = top.select(dim, 0) - top.select(dim, 1)
        return torch.where(gap == 0, 1.0, gap)

    def pool_gaps(self, pool, x):
        windows = x.unfold(2, pool.kernel_size, pool.stride).unfold(3, pool.kernel_size, pool.stride)
        return self.gaps(windows.flatten(4), 4)

    def maxout_gaps(self, maxout, x):
        return self.gaps(x.unflatten(1, (-1, maxout.pieces)), 2)

    def draw(self, make):
        while True:
            batch = make()
            if not self.any:
                return batch
            buffers = [b.clone() for b in self.model.buffers()]
            self.closest = 1.0
            with torch.no_grad():
                self.model(batch.x.double())
            for buffer, value in zip(self.model.buffers(), buffers):
                buffer.copy_(value)
            if self.closest > self.MARGIN:
                return batch


def their_training(config, model, classes, makers):
    """A step with each of the batches that the makers make; also the batches, to be given to ours."""
    criterion = parity_models.loss_function(config.get("loss", "cross_entropy"))
    optimizer = parity_models.optimizer(config["optimizer"], model.parameters())
    kinks = Kinks(model)

    def forward(batch):
        logits = model(batch.x.double())
        return logits, criterion(logits, batch.target(classes))

    def evaluate(batch):
        model.eval()
        with torch.no_grad():
            logits, loss = forward(batch)
        model.train()
        return logits, loss.item()

    run, batches = {"train": []}, []
    for make in makers:
        batch = kinks.draw(make)
        batches.append(batch)
        if len(batches) == 1:
            run["before"] = evaluate(batch)
        optimizer.zero_grad()
        logits, loss = forward(batch)
        run["train"].append((logits.detach(), loss.item()))
        (loss + penalty(config, model)).backward()
        if len(batches) == 1:
            run["gradients"] = {n: p.grad.clone() for n, p in model.named_parameters()}
        if config.get("clip_norm"):
            torch.nn.utils.clip_grad_norm_(model.parameters(), config["clip_norm"])
        optimizer.step()
    run["after"] = evaluate(batches[-1])
    run["tensors"] = {n: v.double() for n, v in model.state_dict().items()}
    return run, batches


def worst(ours, theirs):
    return max(tensor_error(ours[name], theirs[name]) for name in ours)


def gradient_error(ours, theirs):
    """Relative to the largest gradient of the layer: a bias's is a sum whose terms may cancel, all of it in front of
    a batch normalization."""
    layer = {}
    for name, gradient in theirs.items():
        key = name.rpartition(".")[0]
        layer[key] = max(layer.get(key, 0), gradient.abs().max().item())
    return max((ours[n] - theirs[n]).abs().max().item() / layer[n.rpartition(".")[0]] for n in ours)


def result_error(ours, theirs):
    """Of (logits, loss)."""
    return max(tensor_error(ours[0], theirs[0]), abs(ours[1] - theirs[1]) / abs(theirs[1]))


def check_names(what, tensors, model):
    ours = {t["name"]: tuple(t["shape"]) for t in tensors}
    theirs = {n: tuple(v.shape) for n, v in model.state_dict().items() if "num_batches" not in n}
    if ours != theirs:
        raise SystemExit(f"{what}: ours has the tensors {ours}, PyTorch {theirs}")


def compare(what, config, shape, classes, makers, model):
    tensors, _ = tensor_list(config, shape, classes)
    check_names(what, tensors, model)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    theirs, batches = their_training(config, model.double().train(), classes, makers)
    ours = our_training(config, shape, classes, tensors, start, batches)
    note("net", what, "logits and loss, evaluating and training",
         max(result_error(ours["before"], theirs["before"]),
             result_error(ours["train"][0], theirs["train"][0])), 1e-5)
    note("net", what, "gradients", gradient_error(ours["gradients"], theirs["gradients"]), 1e-5)
    note("net", what, f"{len(batches)} steps: losses, tensors, logits",
         max([result_error(ours["after"], theirs["after"]), worst(ours["tensors"], theirs["tensors"])] +
             [abs(a[1] - b[1]) / abs(b[1]) for a, b in zip(ours["train"], theirs["train"])]), 1e-5)


def batch_makers(shape, classes, sizes, mixed=False):
    def make(n):
        x, labels = torch.randn(n, *shape), torch.randint(classes, (n,))
        others = torch.randint(classes, (n,)) if mixed else None
        return Batch(x, labels, others, torch.rand(()).item() if mixed else 1.0)

    return [lambda n=n: make(n) for n in sizes]


def case(what, model, shape, classes=5, sizes=None, mixed=False, **keys):
    """A model's list of layers, or its name; further keys of the config."""
    torch.manual_seed(4)
    config = {"model": model if isinstance(model, str) else {"layers": model},
              "optimizer": {"name": "sgd", "lr": 0.05}, **keys}
    model = parity_models.build(config, shape, classes)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):  # away from 0 and 1
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    compare(what, config, shape, classes, batch_makers(shape, classes, sizes or [20] * STEPS, mixed), model)


def conv(channels, kernel, **keys):
    return {"type": "conv2d", "channels": channels, "kernel": kernel, **keys}


def dense(units, **keys):
    return {"type": "dense", "units": units, **keys}


def layers():
    out = ["flatten", dense(5)]
    case("dense, batches of 1, 7, 16 and 37", ["flatten", dense(11, activation="tanh"), dense(5)], (2, 3, 4),
         sizes=[7, 1, 16, 37] * (STEPS // 4))
    for kernel, stride, padding in (1, 1, 0), (1, 2, 0), (2, 1, 1), (3, 1, 1), (3, 2, 0), (5, 1, 2), (5, 2, 3), (7, 3, 3):
        case(f"conv2d {kernel}x{kernel}, stride {stride}, padding {padding}",
             [conv(4, 1), conv(6, kernel, stride=stride, padding=padding), "activation"] + out,
             (3, 11, 9), activation="tanh")
    for kind in "maxpool", "avgpool":
        for kernel, stride in (2, 2), (3, 2), (2, 1), (3, 4):
            case(f"{kind} {kernel}x{kernel}, stride {stride}",
                 [conv(4, 3), {"type": kind, "kernel": kernel, "stride": stride}] + out, (3, 11, 9))
    for name in parity_models.ACTIVATIONS:
        case(f"activation {name}, dense and conv2d",
             [conv(4, 3), "activation", "flatten", dense(7), "activation", dense(5)], (2, 8, 7), activation=name)
    case("maxout of 3 pieces", [conv(4, 3), "activation", "flatten", dense(7), "activation", dense(5)],
         (2, 8, 7), activation={"name": "maxout", "pieces": 3})


def normalized():
    """Batch normalization, with its running statistics, and what stands around it."""
    body, norm = [conv(4, 3), "batch_norm", "activation"], {"type": "batch_norm", "momentum": 0.3, "eps": 0.01}
    mixed_sizes = [7, 5, 16, 37] * (STEPS // 4)
    case("batch_norm, conv2d", body + ["flatten", dense(5)], (2, 8, 7), sizes=mixed_sizes)
    case("batch_norm, dense", ["flatten", dense(11), "batch_norm", "activation", dense(5)], (2, 3, 4),
         sizes=mixed_sizes, activation="tanh")
    case("batch_norm, conv2d, batches of 1", body + ["flatten", dense(5)], (2, 8, 7), sizes=[1] * STEPS,
         optimizer={"name": "sgd", "lr": 0.01})
    case("batch_norm, momentum 0.3, eps 0.01, dense and conv2d",
         [conv(4, 3), norm, "activation", "flatten", dense(11), norm, "activation", dense(5)], (2, 8, 7))
    case("batch_norm before maxout", [conv(4, 3), "batch_norm", "activation", "flatten", dense(5)], (2, 8, 7),
         activation="maxout")
    case("globalavgpool", [conv(6, 3), "activation", "globalavgpool", dense(5)], (2, 9, 7))


def residuals():
    def block(layers, shortcut=None):
        keys = {} if shortcut is None else {"shortcut": shortcut}
        return {"type": "residual", "layers": layers, **keys}

    same = [conv(4, 3, padding=1), "activation", conv(4, 3, padding=1)]
    half = [conv(6, 3, padding=1, stride=2), "batch_norm", "activation", conv(6, 3, padding=1), "batch_norm"]
    out, shape = ["activation", "globalavgpool", dense(5)], (2, 8, 7)
    case("residual", [conv(4, 3), block(same)] + out, shape)
    case("residual, shortcut conv2d", [conv(4, 3), block(half, [conv(6, 1, stride=2), "batch_norm"])] + out, shape)
    case("residual, two, first layer", [block([conv(2, 3, padding=1)]), block(same, [conv(4, 1)])] + out, shape,
         activation="tanh")
    case("residual, dense", ["flatten", dense(9), block([dense(9), "batch_norm", "activation", dense(9)]),
                             "activation", dense(5)], shape)


class Masked(torch.nn.Module):
    """Dropout with masks from elsewhere, one a training step."""

    def __init__(self, masks):
        super().__init__()
        self.masks, self.step = masks, 0

    def forward(self, x):
        self.step += self.training
        return x * self.masks[self.step - 1].view(x.shape) if self.training else x


def dropout():
    """Our masks are the logits of a net whose values before the dropout layer are all 1, with that layer at the
    same place and in the same steps; its rate is too small to move a weight."""
    width, p, shape = 24, 0.25, (1, 4, 5)
    body = ["flatten", dense(width), {"type": "dropout", "p": p}]
    config = {"model": {"layers": body}, "optimizer": {"name": "sgd", "lr": 1e-30}}
    torch.manual_seed(4)
    batches = [make() for make in batch_makers(shape, 5, [20, 37] * (STEPS // 2))]
    tensors, _ = tensor_list(config, shape, width)
    ones = {"1.weight": torch.zeros(width, 20), "1.bias": torch.ones(width)}
    masks = [logits for logits, _ in our_training(config, shape, width, tensors, ones, batches)["train"]]
    kept = torch.cat([m.flatten() for m in masks])
    note("net", "dropout 0.25, masks", "distance from 0 or 1 / (1 - p)",
         torch.minimum(kept.abs(), (kept - 1 / (1 - p)).abs()).max().item(), 1e-6)
    note("net", "dropout 0.25, masks", "share kept", abs((kept > 0).double().mean().item() - (1 - p)), 0.005)

    config = {**config, "model": {"layers": body + ["activation", dense(5)]}, "activation": "tanh",
              "optimizer": {"name": "sgd", "lr": 0.05}}
    model = parity_models.build(config, shape, 5)
    model[2] = Masked(masks)
    compare("dropout 0.25, our masks", config, shape, 5, [lambda b=b: b for b in batches], model)


def losses():
    body, shape = ["flatten", dense(11, activation="tanh"), dense(5)], (2, 3, 4)
    for loss in "cross_entropy", {"name": "cross_entropy", "label_smoothing": 0.1}, "mse":
        for mixed in False, True:
            case(f"loss {spelled_loss(loss)}{', mixed targets' if mixed else ''}", body, shape, loss=loss, mixed=mixed)
    case("l2 0.01", body, shape, l2=0.01)
    case("l1 0.01", body, shape, l1=0.01)
    case("clip_norm 0.1", body, shape, clip_norm=0.1)


def spelled_loss(loss):
    return loss if isinstance(loss, str) else ", ".join(str(v) for v in loss.values())


def optimizers():
    body = ["flatten", dense(11, activation="tanh"), dense(5)]
    for name in "momentum", "nesterov", "adagrad", "adam", "adamw", "adamax", "adadelta":
        case(f"optimizer {name}", body, (2, 3, 4), optimizer=name)
    # its first step is 10 lr sign(g), however small g is beside its rounding error
    case("optimizer rmsprop, lr 0.0002", body, (2, 3, 4), optimizer={"name": "rmsprop", "lr": 0.0002})


def models():
    # at a rate of 0.05 rounding grows: PyTorch's own float32 is then 0.06 away from its float64, ours 0.003
    slow = {"name": "sgd", "lr": 0.01}
    small = [4] * STEPS
    case("model logistic", "logistic", (1, 28, 28), 10)
    case("model mlp, without dropout", "mlp", (1, 28, 28), 10, dropout=0)
    case("model lenet5", "lenet5", (1, 28, 28), 10, sizes=small, optimizer=slow)
    case("model deep10", "deep10", (1, 28, 28), 10, sizes=small[:20])
    case("model deep3, batch_norm", "deep3", (1, 28, 28), 10, sizes=[20] * 20, batch_norm=True)
    for batch_norm in False, True:
        what = ", batch_norm" if batch_norm else ""
        for model in "vgg-small", "resnet-small":
            case(f"model {model}{what}", model, (3, 8, 8), 10, sizes=[12] * STEPS, optimizer=slow,
                 batch_norm=batch_norm)


def run():
    layers()
    normalized()
    residuals()
    dropout()
    losses()
    optimizers()
    models()
