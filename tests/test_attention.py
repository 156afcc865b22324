"""Inhibitor attention in PyTorch against the papers' formulas, and its exact gradients."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inhibi.kd.attention import Inhibitor, InhibitorSettings, inhibit, manhattan

FORMS = [(centred, signed) for centred in (True, False) for signed in (True, False)]


@pytest.fixture(autouse=True)
def eager(request: pytest.FixtureRequest) -> Iterator[None]:
    """Expressions run uncompiled, which is quicker here; one test compiles them."""
    compiled = request.node.get_closest_marker("compiled") is not None
    with torch.compiler.set_stance("default" if compiled else "force_eager"):
        yield


def draw(*shape: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for _ in range(3)
    ]


def paper(q: Tensor, k: Tensor, v: Tensor, gamma: float, alpha: float, signed: bool) -> Tensor:
    """One head [T,d], centred: arXiv 2503.15983 with positive and negative values apart."""
    z = gamma / q.shape[-1] ** 0.5 * (q[:, None] - k[None]).abs().sum(-1)
    z = (z - z.mean(-1, keepdim=True) + alpha).clamp(min=0)[..., None]
    if not signed:
        return (v[None] - z).clamp(min=0).sum(1)
    return ((v.clamp(min=0) - z).clamp(min=0) + (v.clamp(max=0) + z).clamp(max=0)).sum(1)


@pytest.mark.parametrize("signed", [True, False])
def test_it_is_the_papers_formula(signed: bool) -> None:
    q, k, v = draw(1, 2, 5, 4)
    settings = InhibitorSettings(signed=signed, n0=0.0, gamma=0.7, alpha=0.6, beta=0.9)
    made = Inhibitor(settings, 2).double()(q, k, v, None)
    for h in range(2):
        expected = 0.9 * paper(q[0, h], k[0, h], v[0, h], 0.7, 0.6, signed)
        torch.testing.assert_close(made[0, h], expected, rtol=1e-6, atol=1e-6)


def test_the_uncentred_shift_is_subtracted() -> None:
    q, k, v = draw(1, 1, 4, 3)
    settings = InhibitorSettings(centred=False, n0=0.0, gamma=1.0, alpha=0.5, beta=1.0)
    z = (manhattan(q, k) / 3**0.5 - 0.5).clamp(min=0)
    made = Inhibitor(settings, 1).double()(q, k, v, None)
    torch.testing.assert_close(made, inhibit(v, z, True))


@pytest.mark.parametrize(("centred", "signed"), FORMS)
def test_gradients_are_exact(centred: bool, signed: bool) -> None:
    q, k, v = draw(2, 2, 4, 3)
    module = Inhibitor(InhibitorSettings(centred=centred, signed=signed), 2).double()
    valid = torch.tensor([[True] * 4, [True, True, False, False]])
    scalars = (module.gamma, module.alpha, module.beta)

    def context(*arguments: Tensor) -> Tensor:
        return module(*arguments[:3], valid)

    assert torch.autograd.gradcheck(context, (q, k, v, *scalars))


@pytest.mark.parametrize(("centred", "signed"), FORMS)
def test_padding_changes_nothing(centred: bool, signed: bool) -> None:
    module = Inhibitor(InhibitorSettings(centred=centred, signed=signed), 2).double()
    q, k, v = draw(1, 2, 5, 4)
    short = module(q, k, v, None)
    padded = [torch.cat([x, 100 * torch.ones(1, 2, 3, 4)], 2) for x in (q, k, v)]
    valid = torch.tensor([[True] * 5 + [False] * 3])
    torch.testing.assert_close(module(*padded, valid)[:, :, :5], short)


def test_the_length_factor() -> None:
    q, k, v = draw(1, 2, 5, 4)
    plain = Inhibitor(InhibitorSettings(n0=0.0), 2).double()(q, k, v, None)
    scaled = Inhibitor(InhibitorSettings(n0=16.0), 2).double()(q, k, v, None)
    torch.testing.assert_close(scaled, plain * 16 / 5)


def test_scalars_per_layer_are_shared_by_the_heads() -> None:
    q, k, v = draw(1, 2, 5, 4)
    head, layer = (Inhibitor(InhibitorSettings(scope=s), 2).double() for s in ("head", "layer"))
    assert head.gamma.shape == (2,)
    assert layer.gamma.shape == (1,)
    torch.testing.assert_close(head(q, k, v, None), layer(q, k, v, None))


@pytest.mark.parametrize("wrong", [{"scope": "token"}, {"n0": -1.0}, {"n0": 129.0}])
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        InhibitorSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # inside torch
def test_compiled_expressions_give_the_same_numbers() -> None:
    q, k, v = (x.detach().float().requires_grad_() for x in draw(2, 2, 9, 8))
    module = Inhibitor(InhibitorSettings(), 2)
    valid = torch.tensor([[True] * 9, [True] * 6 + [False] * 3])
    made = []
    for stance in ("default", "force_eager"):
        with torch.compiler.set_stance(stance):
            context = module(q, k, v, valid)
            made.append((context, *torch.autograd.grad(context.square().sum(), (q, k, v))))
    for a, b in zip(*made, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # inside torch
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="GPU")),
    ],
)
def test_nothing_of_size_t_t_d_is_stored(device: str) -> None:
    tokens, width = 2048, 64
    module = Inhibitor(InhibitorSettings(), 1).to(device)

    def train(tokens: int) -> None:
        drawn = torch.randn(3, 1, 1, tokens, width, device=device)
        module(*drawn.requires_grad_(), None).square().sum().backward()

    train(64)  # compiles, which takes memory of its own
    before = peak(device, anew=True)
    train(tokens)
    assert peak(device) - before < 4 * tokens**2 * width / 2  # half of one such tensor: 0.5 GB


def peak(device: str, anew: bool = False) -> int:
    """The most bytes that the process (Linux), or the GPU, has held. anew: since now, so that an
    earlier test's peak hides nothing."""
    if device == "cuda":
        if anew:
            torch.cuda.reset_peak_memory_stats()
        return torch.cuda.max_memory_allocated()
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])
