import numpy as np
import pytest
import torch

import bench
from bench.api import Network
from bench.errors import HeatmarkError
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.faithfulness.deletion import Deletion

NAMES = {"attributions": ["simple_gradient", "oracle"], "metrics": ["deletion", "pointing_game"]}


def test_one_row_per_image_attribution_and_metric(network: Network, request_of) -> None:
    request = request_of(5)
    scores = bench.evaluate(network.module, request.images, truth=request.truth, **NAMES)
    assert len(scores) == 5 * 2 * 2
    assert scores.status.eq("ok").all()
    np.testing.assert_allclose(scores.query("attribution == 'oracle' and metric == 'pointing_game'").score, 1)
    assert scores.target[:5].tolist() == request.targets.tolist()


def test_the_model_and_images_are_left_alone(network: Network, request_of) -> None:
    request = request_of(2)
    network.module.train()
    before = [weight.clone() for weight in network.module.parameters()]
    images = request.images.clone()
    bench.evaluate(network.module, request.images, attributions=["simple_gradient"], metrics=["deletion"])
    assert network.module.training
    assert all(weight.requires_grad and weight.grad is None for weight in network.module.parameters())
    assert all(torch.equal(*pair) for pair in zip(before, network.module.parameters(), strict=True))
    assert torch.equal(images, request.images)


def test_instances_and_names_may_be_mixed(network: Network, request_of) -> None:
    images = request_of(2).images
    scores = bench.evaluate(
        network.module,
        images,
        torch.tensor([1, 2]),
        attributions=["random_map", SimpleGradient(reduction="sum")],
        metrics=[Deletion(step=30)],
    )
    assert set(scores.attribution) == {"random_map", "simple_gradient(reduction=sum)"}
    assert set(scores.target) == {1, 2}


def test_a_score_belongs_to_the_image_id(network: Network, request_of) -> None:
    images = request_of(3).images
    names = {"attributions": ["random_map"], "metrics": ["gini"]}
    whole = bench.evaluate(network.module, images, image_ids=["a", "b", "c"], **names)
    alone = bench.evaluate(network.module, images[2:], image_ids=["c"], **names)
    assert whole.score[2] == alone.score[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attributions": ["simple_gradent"]}, "did you mean 'simple_gradient'"),
        ({"metrics": ["deletio"]}, "did you mean 'deletion'"),
        ({"attributions": "simple_gradient"}, "attributions: expected a list of names or instances"),
        ({"metrics": []}, "metrics: expected a list of names or instances"),
        ({"targets": torch.tensor([1])}, r"targets: expected a tensor of shape \(2\), got \(1,\)"),
        ({"targets": torch.tensor([1, 5])}, "targets: expected whole numbers from 0 to 4"),
        ({"targets": torch.tensor([1, -1])}, "targets: expected whole numbers from 0 to 4"),
        ({"targets": torch.tensor([1.0, 2.0])}, "targets: expected whole numbers from 0 to 4"),
        ({"truth": torch.zeros(3, 12, 10)}, r"truth: expected a tensor of shape \(2, 12, 10\)"),
        ({"truth": torch.zeros(2, 1, 12, 10)}, r"truth: expected a tensor of shape \(2, 12, 10\)"),
        ({"references": torch.zeros(4, 3, 9, 9)}, r"references: expected a tensor of shape \(any, 3, 12, 10\)"),
        ({"image_ids": ["a"]}, "image_ids: expected 2, one for each image, got 1"),
        ({"image_ids": ["a", "a"]}, "image_ids: 'a' is there 2 times"),
        ({"attributions": ["oracle"], "truth": None}, "oracle.*needs a truth map"),
    ],
)
def test_what_does_not_fit_is_one_line(network: Network, request_of, settings: dict, message: str) -> None:
    request = request_of(2)
    with pytest.raises(HeatmarkError, match=message):
        bench.evaluate(network.module, request.images, **{**NAMES, "truth": request.truth, **settings})


@pytest.mark.parametrize("images", [torch.zeros(3, 8, 8), torch.zeros(0, 3, 8, 8), np.zeros((2, 3, 8, 8))])
def test_images_must_be_a_batch(network: Network, images) -> None:
    with pytest.raises(HeatmarkError, match=r"images: expected floating point \(batch, channel, height, width\)"):
        bench.evaluate(network.module, images, **NAMES)


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (lambda logits: (logits, logits), "returns tuple"),
        (lambda logits: logits[:, 0], r"returns a tensor of shape \(2,\)"),
        (lambda logits: logits[:, :, None, None], r"returns a tensor of shape \(2, 5, 1, 1\)"),
    ],
)
def test_a_model_must_return_logits(network: Network, request_of, returned, told: str) -> None:
    class Other(torch.nn.Module):
        def forward(self, images):
            return returned(network.module(images))

    with pytest.raises(HeatmarkError, match=f"network 'network' {told}; expected logits"):
        bench.evaluate(Other(), request_of(2).images, **NAMES)


def test_a_model_must_leave_its_input_alone(network: Network, request_of) -> None:
    class Normalising(torch.nn.Module):
        def forward(self, images):
            return network.module(images.mul_(0.5))

    images = request_of(2).images
    before = images.clone()
    with pytest.raises(HeatmarkError, match="network 'network' changes the images that it is given, in place"):
        bench.evaluate(Normalising(), images, attributions=["random_map"], metrics=["deletion"])
    assert torch.equal(images, before)
