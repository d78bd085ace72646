"""The operations of augmentation, with what was drawn for each sample, beside torch.nn.functional; and the
distributions of what is drawn beside torch.distributions."""
import math

import torch
import torch.nn.functional as F

from parity_common import drive, error, note, spelled
from parity_inits import kolmogorov_smirnov

N = 64
DRAWN = ("down", "right", "flip", "angle", "contrast", "brightness", "cut_top", "cut_left", "pair", "share")


def crop(x, d, pad):
    H, W = x.shape[-2:]
    top, left = pad - int(d["down"]), pad - int(d["right"])
    return F.pad(x, (pad, pad, pad, pad))[..., top:top + H, left:left + W]


def flip(x, d):
    return torch.flip(x, (-1,)) if d["flip"] else x


def rotate(x, d):
    """affine_grid's coordinates go from -1 to 1 over the image, whatever its sides are."""
    H, W = x.shape[-2:]
    cos, sin = math.cos(math.radians(d["angle"])), math.sin(math.radians(d["angle"]))
    theta = torch.tensor([[[cos, -sin * H / W, 0], [sin * W / H, cos, 0]]], dtype=x.dtype)
    grid = F.affine_grid(theta, (1, *x.shape), align_corners=False)
    return F.grid_sample(x[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]


def brighten(x, d):
    return (d["brightness"] * x).clamp(0, 1)


def contrast(x, d):
    luma = torch.tensor([0.2989, 0.587, 0.114], dtype=x.dtype).view(3, 1, 1)
    gray = (x * luma).sum(0) if x.shape[0] == 3 else x.mean(0)
    return torch.lerp(gray.mean(), x, d["contrast"]).clamp(0, 1)


def cut(x, d, size):
    x = x.clone()
    top, left = int(d["cut_top"]), int(d["cut_left"])
    x[..., max(top, 0):max(top + size, 0), max(left, 0):max(left + size, 0)] = 0
    return x


def augmented(x, draws, keys):
    """All that `keys` switches on, in our order."""
    for i, d in enumerate(draws):
        y = x[i]
        y = crop(y, d, keys["crop"]) if "crop" in keys else y
        y = flip(y, d)
        y = rotate(y, d) if "rotation" in keys else y
        y = brighten(y, d) if "brightness" in keys else y
        y = contrast(y, d) if "contrast" in keys else y
        x[i] = cut(y, d, keys["cutout"]) if "cutout" in keys else y
    pairs = torch.tensor([int(d["pair"]) for d in draws])
    share = draws[0]["share"]
    return share * x + (1 - share) * x[pairs]


def operations():
    cases = [
        ({"crop": 4}, 1e-6), ({"crop": 40}, 1e-6), ({"horizontal_flip": 0.5}, 1e-6),
        ({"rotation": 15}, 1e-5), ({"rotation": 180}, 1e-5), ({"brightness": 0.4}, 1e-6),
        ({"contrast": 0.4}, 1e-6), ({"cutout": 8}, 1e-6), ({"mixup": 0.4}, 1e-6),
        ({"crop": 4, "horizontal_flip": 0.5, "rotation": 15, "brightness": 0.4, "contrast": 0.4,
          "cutout": 8, "mixup": 0.4}, 1e-5),
    ]
    torch.manual_seed(4)
    for keys, limit in cases:
        for shape in ((1, 28, 28), (3, 32, 32), (3, 12, 25)):
            x = torch.rand(N, *shape)
            out = drive("augment", {"augment": keys}, N, *shape, arrays=(x,))
            head = N * len(DRAWN)
            draws = [dict(zip(DRAWN, row)) for row in out[:head].view(N, -1).tolist()]
            theirs = augmented(x.double(), draws, keys)
            what = f"{spelled(keys)}, {'x'.join(map(str, shape))}"
            note("augment", what, f"{N} samples", error(out[head:].view(N, *shape), theirs), limit)


def distributions():
    torch.manual_seed(5)
    for alpha in (0.1, 0.2, 0.4, 1.0, 4.0):
        ours = drive("shares", {"augment": {"mixup": alpha}}, 100000)
        theirs = torch.distributions.Beta(torch.tensor(alpha).double(), alpha).sample((100000,))
        theirs = theirs.float().double()  # where alpha is small, many are 1 to within a float32
        # as for inits: chance exceeds it in fewer than 1 of 10,000 cases
        note("augment", f"mixup: {alpha}, share", "KS distance sqrt(n/2)",
             kolmogorov_smirnov(ours, theirs), 2.23)
    shape, n = (3, 32, 32), 50
    out = drive("augment", {"augment": {"noise": 0.25}}, n, *shape, arrays=(torch.zeros(n, *shape),))
    ours = out[n * len(DRAWN):]
    note("augment", "noise: 0.25", "KS distance sqrt(n/2)",
         kolmogorov_smirnov(ours, 0.25 * torch.randn(ours.numel()).double()), 2.23)


def run():
    operations()
    distributions()
