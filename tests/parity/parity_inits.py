"""Initial weights: their distributions, the orthogonal matrix itself, and the gains of activations."""
import torch

from parity_common import drive, error, note, spelled


def kolmogorov_smirnov(a, b):
    """The largest distance of the two distribution functions, times sqrt(n / 2)."""
    both = torch.cat([a, b]).sort().values
    cdf = [torch.searchsorted(x.sort().values, both, right=True) / x.numel() for x in (a, b)]
    return ((cdf[0] - cdf[1]).abs().max() * (a.numel() / 2) ** 0.5).item()


def weights():
    i = torch.nn.init
    cases = [
        ({"name": "normal", "std": 0.02}, lambda w: i.normal_(w, 0, 0.02)),
        ({"name": "uniform", "bound": 0.3}, lambda w: i.uniform_(w, -0.3, 0.3)),
        ({"name": "xavier_uniform"}, i.xavier_uniform_),
        ({"name": "xavier_normal"}, i.xavier_normal_),
        ({"name": "he_uniform"}, lambda w: i.kaiming_uniform_(w, nonlinearity="relu")),
        ({"name": "he_normal"}, lambda w: i.kaiming_normal_(w, nonlinearity="relu")),
        ({"name": "lecun_uniform"}, lambda w: i.kaiming_uniform_(w, nonlinearity="linear")),
        ({"name": "lecun_normal"}, lambda w: i.kaiming_normal_(w, nonlinearity="linear")),
        ({"name": "torch_default"},
         lambda w: w.data.copy_(torch.nn.Linear(w.shape[1], w.shape[0]).weight.data)),
        ({"name": "orthogonal"}, i.orthogonal_),
        ({"name": "orthogonal", "gain": 1.5}, lambda w: i.orthogonal_(w, 1.5)),
        ({"name": "truncated_normal", "std": 0.02},
         lambda w: i.trunc_normal_(w, std=0.02, a=-0.04, b=0.04)),
    ]
    torch.manual_seed(3)
    for init, fill in cases:
        ours = drive("init", {"init": init}, 300, 500)[:300 * 500]
        theirs = torch.empty(300, 500)
        fill(theirs)
        theirs = theirs.flatten().double()
        what = spelled(init).replace("name: ", "")
        # chance exceeds these in fewer than 1 of 10,000 cases; the seeds are fixed
        note("init", what, "KS distance sqrt(n/2)", kolmogorov_smirnov(ours, theirs), 2.23)
        note("init", what, "std, relative", abs((ours.std() / theirs.std()).item() - 1), 0.01)


def biases():
    torch.manual_seed(5)  # of PyTorch's Linear, 300 of them for 100 layers
    ours = torch.cat([drive("init", {"init": "torch_default", "seed": s}, 300, 50)[300 * 50:]
                      for s in range(1, 101)])
    theirs = torch.cat([torch.nn.Linear(50, 300).bias.data for _ in range(100)]).double()
    what = "torch_default, biases"
    note("init", what, "KS distance sqrt(n/2)", kolmogorov_smirnov(ours, theirs), 2.23)
    note("init", what, "std, relative", abs((ours.std() / theirs.std()).item() - 1), 0.01)


def orthogonal():
    """The matrix itself: PyTorch's factors of the numbers that `normal` draws from the same stream."""
    for rows, cols in ((300, 500), (500, 300), (64, 64)):
        def draw(init):
            return drive("init", {"init": init}, rows, cols)[:rows * cols].view(rows, cols)
        w, ours = draw({"name": "normal", "std": 1}), draw({"name": "orthogonal", "gain": 1.5})
        q, r = torch.linalg.qr(w.t() if rows < cols else w)
        q = q * torch.diag(r).sign()  # as torch.nn.init.orthogonal_ goes on
        theirs = 1.5 * (q.t() if rows < cols else q)
        gram = ours @ ours.t() if rows < cols else ours.t() @ ours
        what = f"orthogonal, gain: 1.5, {rows} rows of {cols}"
        note("init", what, "every weight", error(ours, theirs), 1e-6)
        note("init", what, "W W^T - gain^2 I", (gram - 2.25 * torch.eye(len(gram))).abs().max().item(), 1e-6)


def gains():
    nn, calculate = torch.nn, torch.nn.init.calculate_gain
    # the mean of f(z)^2 over the normal distribution, by PyTorch's f on a grid that is as fine as it needs
    z = torch.linspace(-12, 12, 24 * 20000 + 1, dtype=torch.float64)
    density = torch.exp(-z * z / 2) / (2 * torch.pi) ** 0.5

    def by_moment(f):
        return 1 / torch.trapezoid(f(z) ** 2 * density, z).item() ** 0.5
    cases = [
        ("sigmoid", calculate("sigmoid")), ("tanh", calculate("tanh")), ("relu", calculate("relu")),
        ({"name": "leaky_relu", "negative_slope": 0.2}, calculate("leaky_relu", 0.2)),
        ({"name": "prelu", "init": 0.2}, by_moment(nn.LeakyReLU(0.2))),
        ("selu", calculate("selu")), ("elu", by_moment(nn.ELU())),
        ({"name": "elu", "alpha": 0.5}, by_moment(nn.ELU(0.5))), ("gelu", by_moment(nn.GELU())),
        ("silu", by_moment(nn.SiLU())), ("mish", by_moment(nn.Mish())),
        ("softplus", by_moment(nn.Softplus(threshold=50))), ("hardswish", by_moment(nn.Hardswish())),
        ("relu6", by_moment(nn.ReLU6())),
    ]
    for activation, theirs in cases:
        ours = drive("gain", {"activation": activation}, 1, dtype=torch.float64).item()
        what = activation if isinstance(activation, str) else spelled(activation).replace("name: ", "")
        note("gain", what, "relative", abs(ours / theirs - 1), 1e-7)


def run():
    weights()
    biases()
    orthogonal()
    gains()
