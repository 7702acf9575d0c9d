"""Arguments that `bench.evaluate` cannot take: one line each, of what was expected and what was given."""

import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import bench
from bench.api import Network, Preprocess
from bench.checks.fixtures import small_network, small_request
from bench.errors import HeatmarkError
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.methods.attributions.smooth_grad import SmoothGrad
from bench.metrics.sparsity.gini import Gini

IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def model(outputs: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, outputs)).eval()


class Returns(nn.Module):
    """A network that returns something else than logits."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def forward(self, images: torch.Tensor) -> Any:
        return self.value(images) if callable(self.value) else self.value


def scores(**changed: Any) -> Any:
    """Scores with one argument or more changed."""
    given = {"model": model(), "images": IMAGES, "attributions": ["simple_gradient"], "metrics": ["gini"], **changed}
    return bench.evaluate(given.pop("model"), given.pop("images"), given.pop("targets", None), **given)


MODELS = [
    None,
    1,
    "resnet18",
    "x.pt",
    len,
    lambda images: images.mean((2, 3)),
    [model()],
    {},
    nn.Linear,
    model,
    torch.ones(3),
]
MODELS += [
    Returns(value) for value in (None, 1, "x", [], {}, torch.ones(2), torch.ones(2, 3, 1, 1), (torch.ones(2, 3),))
]
MODELS += [Returns(lambda images: images), Returns(lambda images: images.mean((1, 2, 3))), Returns(torch.ones(5, 3))]
NOT_IMAGES = [
    *(
        None,
        1,
        "x",
        "",
        [],
        {},
        [1, 2],
        [None],
        ["nothing.png"],
        [[1.0]],
        object(),
        len,
        b"x",
        1.5,
        {"a": 1},
        [{}],
        [()],
    ),
    *(
        IMAGES[0],
        IMAGES[0, 0],
        IMAGES[:0],
        torch.tensor(1.0),
        IMAGES[None],
        IMAGES.to_sparse(),
        IMAGES.to(torch.complex64),
    ),
    *(IMAGES.long(), IMAGES.bool(), IMAGES.to("meta"), IMAGES[:, :, :0], IMAGES[:, :0], IMAGES[:, :1], IMAGES[..., :1]),
    *(
        np.ones(3),
        np.ones((2, 3)),
        np.array(["x"]),
        np.array([None]),
        np.ones((2, 8, 8, 3), int),
        np.zeros((0, 3, 8, 8)),
    ),
    *(np.ones((2, 3, 8, 8), complex), [IMAGES[0], IMAGES[0, :, :4]], [IMAGES[0], "nothing.png"], [np.ones((2, 2))]),
    *([IMAGES[0], None], (IMAGES[0], 1.5)),
]
TARGETS = [
    1,
    1.5,
    "label",
    "x",
    [],
    [0],
    [0, 1, 2],
    [0, 3],
    [0, -1],
    [0.0, 1.0],
    ["a", "b"],
    [None, None],
    {},
    torch.ones(2),
]
TARGETS += [torch.tensor([0, 9]), torch.tensor([[0, 1]]), torch.tensor(0), torch.tensor([True, False]), [[0], [1]], len]
TARGETS += [torch.zeros(2, dtype=torch.complex64), np.array([0.5, 1.0]), np.array(["a", "b"]), b"ab"]
PLUGINS = [
    None,
    1,
    "gini",
    "",
    [],
    {},
    [1],
    [None],
    ["x"],
    [""],
    [".."],
    ["ginni"],
    [["gini"]],
    ["captum:x"],
    ["\x1b[1m"],
]
PLUGINS += [[len], [object()], {"gini": 1}, ["planted"], ["standard"], [Network], b"gini"]
MAPS = [
    1,
    "x",
    [1],
    [None],
    [],
    torch.ones(2),
    torch.ones(2, 3, 8, 8),
    torch.ones(2, 4, 4),
    torch.ones(3, 8, 8),
    {},
    len,
]
MAPS += [np.ones((2, 4, 4)), [torch.ones(8, 8)], ["a", "b"]]
REFERENCES = [
    1,
    "x",
    [],
    [1],
    torch.ones(2),
    torch.ones(2, 3, 4, 4),
    torch.ones(2, 1, 8, 8),
    IMAGES.to("meta"),
    np.ones(2),
]
REFERENCES += [torch.full((2, 3, 8, 8), torch.nan), torch.full((2, 3, 8, 8), torch.inf), IMAGES.long(), IMAGES > 0]
MAPS += [torch.full((2, 8, 8), 2.0), torch.full((2, 8, 8), -1.0), torch.full((2, 8, 8), 255, dtype=torch.uint8)]
MAPS += [own(torch.ones(2, 8, 8)) for own in (torch.Tensor.to_sparse, lambda x: x.to("meta"), lambda x: x + 0j)]
TARGETS += [[True, 1], [2**70, 0], [0, None], [torch.nan, 1]]
IDS = [1, "x", [], ["a"], ["a", "a"], ["a", "b", "c"], {}, len]
IDS += [[1, 2], [None, "b"], [True, False], ["a\n", "b"], ["", "b"], ["\x1b[1m", "b"], [torch.nan, "b"]]
FIXATIONS = [1, "x", [], [1, 2], [torch.ones(2)], [torch.ones(2), torch.ones(2)], [None], torch.ones(2), len]
FIXATIONS += [[torch.ones(1, 3)] * 2, [torch.ones(1, 4) > 0] * 2, [torch.ones(1, 4) + 0j] * 2, [-torch.ones(1, 4)] * 2]
CLASSES = [3, True, "abc", {"a", "b", "c"}, [], ["a"], ["a", "b"], [1, 2, 3], ["a", "b", None], {"a": 0}, len, 1.5]
DEVICES = ["cuda:99", "nowhere", "meta", "", 99, True, [], "cpu:x", 1.5, len]
INSTANCES = [SmoothGrad(samples=1.5), SmoothGrad(samples=True), SmoothGrad(reduction="x"), SmoothGrad(noise="a")]
CASES: list[tuple[str, Any]] = [
    *(("model", value) for value in MODELS),
    *(("images", value) for value in NOT_IMAGES),
    *(("targets", value) for value in TARGETS),
    *(("attributions", value) for value in [*PLUGINS, ["gini"]]),
    *(("metrics", value) for value in [*PLUGINS[:2], *PLUGINS[3:], ["simple_gradient"], "gini"]),
    *(("truth", value) for value in MAPS),
    *(("references", value) for value in REFERENCES),
    *(("image_ids", value) for value in IDS),
    *(("fixations", value) for value in FIXATIONS),
    *(("batch", value) for value in (0, -1, 1.5, "x", None, True, [1], 2**70, np.int64(2))),
    *(("seed", value) for value in (1.5, "x", None, [1], True, 2**70, -(2**64), np.int64(2))),
    *(("progress", value) for value in ("no", None, 2, [])),
    *(("classes", value) for value in CLASSES),
    *(("device", value) for value in DEVICES),
    *(("output", value) for value in ("Logits", 1, ["logits"], True, "number", "probabilities")),
    *(("attributions", [value]) for value in INSTANCES),
    ("attributions", ["simple_gradient", "simple_gradient"]),
    ("metrics", ["gini", Gini()]),
    *(("on_error", value) for value in ("x", None, 1)),
    *(("preprocess", value) for value in (1, "x", {}, (8, 8))),
]


@pytest.mark.parametrize(("name", "value"), CASES, ids=range(len(CASES)))
def test_what_cannot_be_evaluated_is_one_line(name: str, value: Any) -> None:
    with pytest.raises(HeatmarkError) as caught:
        scores(**{name: value})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


NETWORKS: list[dict[str, Any]] = [
    *({"chunk": value} for value in (0, -1, 1.5, True, "4", None, 2**70)),
    *({"precision": value} for value in ("fp8", None, 32)),
    *({"tolerance": value} for value in (0, -1.0, float("nan"), "small")),
    *({"compiler": "gcc"}, {"output": "Logits"}, {"name": "a\nb"}, {"name": 3}, {"module": len}, {"module": None}),
    *({"label_map": value} for value in ("abc", 3, (0.5, 1), (True, 0), (-2, 0), (None, 1), {0: 1})),
    *({"preprocess": value} for value in (None, 8, (8, 8), {})),
]
PREPROCESSES: list[dict[str, Any]] = [
    *({"size": value} for value in (8, (8,), (8, 8, 8), (8.5, 8), (True, 8), "88", (0, 8), (8, -1), None, (8, 2**70))),
    *({"resize": value} for value in (0, -1, 1.5, True, "8", (0, 8), (8,), (8, 8, 8))),
    *(
        {"mean": value}
        for value in ((), 0.5, "abc", (torch.nan,) * 3, (0, 0, torch.inf), (True,) * 3, ("0",) * 3, None)
    ),
    *({"std": value} for value in ((), 0.5, (0.0, 1, 1), (-1.0,) * 3, (torch.nan,) * 3, (torch.inf, 1, 1), None)),
    *({"interpolation": value} for value in ("cubic", 3, None)),
    *({"antialias": value} for value in ("no", 1, None)),
]


@pytest.mark.parametrize(
    ("make", "changed"),
    [*((partial(Network, module=model()), own) for own in NETWORKS), *((Preprocess, own) for own in PREPROCESSES)],
    ids=range(len(NETWORKS) + len(PREPROCESSES)),
)
def test_a_network_or_a_preprocessing_that_is_none_cannot_be_made(make: Any, changed: dict[str, Any]) -> None:
    with pytest.raises(HeatmarkError) as caught:
        make(**changed)
    assert str(caught.value).isprintable()
    assert next(iter(changed)) in str(caught.value)


def test_names_that_several_outputs_have_are_for_numbers_only() -> None:
    assert scores(classes=["a", "a", "b"], targets=["b", "b"]).status.eq("ok").all()
    with pytest.raises(HeatmarkError, match="several outputs are named 'a'"):
        scores(classes=["a", "a", "b"], targets=["a", "b"])


def test_maps_of_truth_values_and_whole_numbers_are_maps() -> None:
    half = torch.arange(8).expand(2, 8, 8) < 4
    frames = [scores(truth=own, metrics=["relevance_mass"]) for own in (half, half.long(), half.float())]
    assert frames[0].equals(frames[2])
    assert frames[1].equals(frames[2])


def test_a_device_is_taken_where_the_network_lies_there() -> None:
    assert scores(device="cpu").equals(scores(device=torch.device("cpu")))
    with pytest.raises(HeatmarkError, match="device: the model lies on meta, not on cpu; move it there"):
        scores(model=model().to("meta"), device="cpu")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_images_of_another_precision_than_the_network_are_scored_or_refused(dtype: torch.dtype) -> None:
    for changed in ({"images": IMAGES.to(dtype)}, {"model": model().to(dtype)}):
        try:
            frame = scores(**changed)
        except HeatmarkError as error:
            assert str(error).isprintable()  # noqa: PT017 - either is right
        else:
            assert frame.score.notna().all()


class _Picture(torch.Tensor):
    """A tensor of a kind of its own, as those of transforms are."""


@pytest.mark.parametrize("hold", [lambda x: x.as_subclass(_Picture), lambda x: x.numpy().astype(">f4")])
def test_images_are_what_they_hold_whatever_holds_them(hold: Any) -> None:
    own = {"model": small_network().module.float(), "attributions": ["grad_cam"]}
    images = small_request().images.float()
    assert scores(images=hold(images), **own).equals(scores(images=images, **own))


SIZES = st.lists(st.integers(0, 5), min_size=0, max_size=5).map(tuple)
DTYPES = st.sampled_from([torch.float32, torch.float16, torch.int64, torch.uint8, torch.bool, torch.complex64])
TENSORS = st.builds(lambda size, dtype: torch.ones(size, dtype=dtype), SIZES, DTYPES)
ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | TENSORS
    | st.lists(TENSORS, max_size=2)
)


@given(
    st.dictionaries(st.sampled_from(["images", "targets", "truth", "references", "image_ids"]), ANYTHING, min_size=1)
)
def test_whatever_is_given_is_scored_or_refused_in_one_line(changed: dict[str, Any]) -> None:
    run = partial(scores, **changed)
    try:
        run()
    except HeatmarkError as error:
        assert str(error).isprintable()  # noqa: PT017 - either is right


@pytest.mark.parametrize("where", ["network", "attribution"])
def test_code_that_ends_the_process_is_an_error_in_one_line(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {"model": Returns(lambda _: sys.exit(0))} if where == "network" else {}
    if where == "attribution":
        monkeypatch.setattr(SimpleGradient, "attribute", lambda *_: sys.exit(0))
    with pytest.raises(HeatmarkError, match=r"called sys.exit\(0\)"):
        scores(**changed)
