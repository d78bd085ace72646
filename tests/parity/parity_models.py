"""A config's model, built in PyTorch from docs/trainer.md: an nn.Sequential whose state has the names of our
tensors."""
import torch
from torch import nn


class Maxout(nn.Module):
    """(N, C pieces, ...) to (N, C, ...): channel c is the largest of c pieces ... c pieces + pieces - 1."""

    def __init__(self, pieces):
        super().__init__()
        self.pieces = pieces

    def forward(self, x):
        return x.unflatten(1, (x.shape[1] // self.pieces, self.pieces)).amax(2)


ACTIVATIONS = {
    "sigmoid": lambda spec, channels: nn.Sigmoid(),
    "tanh": lambda spec, channels: nn.Tanh(),
    "relu": lambda spec, channels: nn.ReLU(),
    "leaky_relu": lambda spec, channels: nn.LeakyReLU(spec.get("negative_slope", 0.01)),
    "elu": lambda spec, channels: nn.ELU(spec.get("alpha", 1)),
    "prelu": lambda spec, channels: nn.PReLU(channels, spec.get("init", 0.25)),
    "maxout": lambda spec, channels: Maxout(spec.get("pieces", 2)),
    "gelu": lambda spec, channels: nn.GELU(),
    "silu": lambda spec, channels: nn.SiLU(),
    "selu": lambda spec, channels: nn.SELU(),
    "mish": lambda spec, channels: nn.Mish(),
    "softplus": lambda spec, channels: nn.Softplus(),
    "hardswish": lambda spec, channels: nn.Hardswish(),
    "relu6": lambda spec, channels: nn.ReLU6(),
}


def named(value, key="name"):
    return {key: value} if isinstance(value, str) else value


class Residual(nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def named_layers(name, classes, dropout, batch_norm):
    """The named models, as docs/trainer.md lists them."""
    norm = ["batch_norm"] if batch_norm else []
    drop = [{"type": "dropout", "p": dropout}] if dropout else []

    def dense(units):
        return [{"type": "dense", "units": units}] + norm + ["activation"] + drop

    def conv(channels, kernel, padding, stride=1):
        return [{"type": "conv2d", "channels": channels, "kernel": kernel, "padding": padding,
                 "stride": stride}] + norm

    def block(channels, stride):
        body = conv(channels, 3, 1, stride) + ["activation"] + conv(channels, 3, 1)
        shortcut = conv(channels, 1, 0, stride) if stride > 1 else []
        return [{"type": "residual", "layers": body, "shortcut": shortcut}, "activation"]

    def pair(channels):
        return 2 * (conv(channels, 3, 1) + ["activation"]) + [{"type": "maxpool", "kernel": 2}]

    pool = ["activation", {"type": "maxpool", "kernel": 2}]
    out = [{"type": "dense", "units": classes}]
    if name.startswith("deep"):
        return ["flatten"] + dense(500) * int(name[4:]) + out
    return {
        "logistic": ["flatten"] + out,
        "mlp": ["flatten"] + dense(512) + out,
        "lenet5": conv(6, 5, 2) + pool + conv(16, 5, 0) + pool + ["flatten"] + dense(120) + dense(84) + out,
        "vgg-small": pair(32) + pair(64) + ["flatten"] + dense(256) + out,
        "resnet-small": conv(16, 3, 1) + ["activation"] + block(16, 1) + block(32, 2) + block(64, 2) +
        ["globalavgpool"] + drop + out,
    }[name]


def expand(items, activation):
    """Activations named where they stand, those of a layer put behind it."""
    for item in items:
        item = dict(named(item, "type"))
        if item["type"] == "activation":
            yield {"type": "activation", **(item if "name" in item else activation)}
            continue
        behind = item.pop("activation", None)
        yield item
        if behind is not None:
            yield {"type": "activation", **named(behind)}


def widened(items):
    """The layer in front of a maxout is as many times as wide as it has pieces; a batch_norm may be between."""
    items = list(items)
    for i, item in enumerate(items):
        if item.get("name") == "maxout":
            layer = items[i - 2] if items[i - 1]["type"] == "batch_norm" else items[i - 1]
            layer["units" if layer["type"] == "dense" else "channels"] *= item.get("pieces", 2)
    return items


def make_layer(spec, shape, activation):
    channels, kind = shape[1], spec["type"]
    if kind == "dense":
        return nn.Linear(channels, spec["units"])
    if kind == "conv2d":
        return nn.Conv2d(channels, spec["channels"], spec["kernel"], spec.get("stride", 1),
                         spec.get("padding", 0))
    if kind == "maxpool":
        return nn.MaxPool2d(spec["kernel"], spec.get("stride"))
    if kind == "avgpool":
        return nn.AvgPool2d(spec["kernel"], spec.get("stride"))
    if kind == "globalavgpool":  # what comes behind has no use for the 1 x 1
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    if kind == "flatten":
        return nn.Flatten()
    if kind == "batch_norm":
        norm = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
        return norm(channels, spec.get("eps", 1e-5), spec.get("momentum", 0.1))
    if kind == "residual":
        return Residual(sequential(spec["layers"], shape, activation),
                        sequential(spec.get("shortcut", []), shape, activation))
    if kind == "dropout":
        return nn.Dropout(spec.get("p", 0.5))
    if kind == "activation":
        return ACTIVATIONS[spec["name"]](spec, channels)
    raise ValueError(kind)


def sequential(items, shape, activation):
    """`shape` is that of one input, (1, C, H, W): so the sizes follow, as in besom."""
    x, layers = torch.zeros(shape), []
    for spec in widened(expand(items, activation)):
        layers.append(make_layer(spec, x.shape, activation))
        with torch.no_grad():
            x = layers[-1].eval()(x)
    return nn.Sequential(*layers)


def build(config, shape, classes):
    model = config.get("model", "lenet5")
    dropout = config.get("dropout", 0.2 if model == "mlp" else 0)
    batch_norm = config.get("batch_norm", model == "resnet-small")
    items = named_layers(model, classes, dropout, batch_norm) if isinstance(model, str) else model["layers"]
    return sequential(items, (1, *shape), named(config.get("activation", "relu")))


def optimizer(spec, parameters):
    """torch.optim's of the same name; ours has their names for all other keys but beta1 and beta2."""
    spec = dict(named(spec))
    name, o = spec.pop("name"), torch.optim
    if "beta1" in spec:
        spec["betas"] = (spec.pop("beta1"), spec.pop("beta2"))
    sgd = {"sgd": {}, "momentum": {"momentum": 0.9}, "nesterov": {"momentum": 0.9, "nesterov": True}}
    if name in sgd:
        return o.SGD(parameters, **{"lr": 0.01, **sgd[name], **spec})
    classes = {"adagrad": o.Adagrad, "rmsprop": o.RMSprop, "adam": o.Adam, "adamw": o.AdamW,
               "adamax": o.Adamax, "adadelta": o.Adadelta}
    return classes[name](parameters, **spec)


def loss_function(spec):
    """Of logits and target probabilities, the mean over the batch."""
    spec = named(spec)
    if spec["name"] == "mse":
        return lambda logits, target: nn.functional.mse_loss(logits, target)
    smoothing = spec.get("label_smoothing", 0.0)
    return lambda logits, target: nn.functional.cross_entropy(logits, target, label_smoothing=smoothing)
