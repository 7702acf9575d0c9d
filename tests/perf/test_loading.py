"""What loading a photograph takes beside what is then asked about it: whether processes for it would pay."""

import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.api import Network
from bench.data.batches import load
from bench.engine.predict import logits_in_chunks
from bench.parallel.throughput import per_image, seconds
from bench.suites.load import load_suite

PASSES = 223  # of one curve at 224 pixels; a board asks for two of each method
AT_MOST = 0.01
PHOTOGRAPHS = range(0, 64, 4)


def test_loading_is_a_hundredth_of_a_single_curve(squeezenet: Network, benchmark: BenchmarkFixture) -> None:
    """Decoding, resizing and normalising, by the time of the thread that does it, as if nothing overlapped."""
    dataset, device = load_suite("imagenette").dataset, torch.device("cpu")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        images = load(dataset, "val", PHOTOGRAPHS, squeezenet, device).images
        loading = benchmark.pedantic(
            lambda: per_image(
                lambda count: load(dataset, "val", PHOTOGRAPHS[:count], squeezenet, device), len(images), device
            ),
            rounds=1,
        )
        logits_in_chunks(squeezenet, images)
        forward = seconds(lambda: logits_in_chunks(squeezenet, images), device) / len(images)
    finally:
        torch.set_num_threads(before)
    share = loading / (PASSES * forward)
    benchmark.extra_info |= {"loading": loading, "forward": forward, "share of a curve": share}
    assert share <= AT_MOST, benchmark.extra_info
