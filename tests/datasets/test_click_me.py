import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import correlate

from bench import checks
from bench.data.imagenet_classes import WNIDS
from bench.data.label_map import label_map_of
from bench.data.tf_records import feature
from bench.datasets.click_me import ClickMe
from bench.errors import HeatmarkError

RAMP = np.add.outer(np.arange(256), np.arange(256))


def crc(data: bytes) -> int:
    """CRC-32C, a second time: by division of the whole message as one number."""
    value = int.from_bytes(data[:4], "little") ^ 0xFFFFFFFF | int.from_bytes(data[4:], "little") << 32
    for _ in range(8 * len(data)):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17 & 0xFFFFFFFF) + 0xA282EAD8) % 2**32


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


def example(values: dict[str, bytes | int], packed: bool = True) -> bytes:
    """A tf.train.Example of these features."""
    entries = b""
    for name, value in values.items():
        if isinstance(value, int):
            own = field(3, field(1, varint(value)) if packed else field(1, value))
        else:
            own = field(1, field(1, value))
        entries += field(1, field(1, name.encode()) + field(2, own))
    return field(1, entries)


def picture(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "JPEG", quality=95)
    return file.getvalue()


def record(number: int, label: int = 0, side: int = 256) -> dict[str, bytes | int]:
    """A photograph whose levels rise, and clicks on a square of it."""
    rising = (RAMP[:side, :side] // 4 + 20 * number) % 256
    clicks = np.zeros((side, side))
    clicks[60 : 120 + number, 100:180] = 255
    return {"image": picture(np.stack([rising] * 3, 2)), "heatmap": picture(clicks), "label": label}


def write(path: Path, records: Sequence[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    heads = [struct.pack("<Q", len(own)) for own in records]
    parts = [head + struct.pack("<I", crc(head)) + own + b"crc!" for head, own in zip(heads, records, strict=True)]
    path.write_bytes(b"".join(parts))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three shards of the validation set, numbered so that names and numbers sort otherwise."""
    for shard, labels in ((0, (3, 999)), (2, (7,)), (10, (0,))):
        own = [example(record(shard + i, label), packed=bool(i)) for i, label in enumerate(labels)]
        write(tmp_path / f"val/val-{shard}.tfrecords", own)
    return tmp_path


def dataset(root: Path, **settings: int) -> ClickMe:
    return ClickMe(root=str(root), **settings)


@pytest.mark.parametrize("check", checks.DATASET_CHECKS, ids=lambda check: check.__name__)
def test_conformance(root: Path, check) -> None:
    check(dataset(root, side=64), "val")


def test_records_are_in_the_order_of_shards_with_labels_of_imagenet(root: Path) -> None:
    data = dataset(root)
    assert data.present == ("val",)
    assert data.ids("val") == ("val/000/00000", "val/000/00001", "val/002/00000", "val/010/00000")
    assert data.labels("val") == (3, 999, 7, 0)
    assert label_map_of(data, (), WNIDS, "a network") is None  # each label is its output
    assert data.label == "click_me"
    assert dataset(root, side=64).label == "click_me(side=64)"


def test_shards_as_keras_keeps_them_are_found(root: Path) -> None:
    before = dataset(root).fingerprint()
    for shard in (0, 2, 10):
        (root / f"val/val-{shard}.tfrecords").rename(root / f"clickme_val_{shard}")
    assert dataset(root).labels("val") == (3, 999, 7, 0)
    assert dataset(root).fingerprint() != before  # another layout is another listing


def slowly_scaled(image: np.ndarray, side: int) -> np.ndarray:
    """Bilinear between pixel centres, without antialiasing."""
    at = np.clip((np.arange(side) + 0.5) * len(image) / side - 0.5, 0, len(image) - 1)
    low = np.floor(at).astype(int)
    high, part = np.minimum(low + 1, len(image) - 1), at - low
    rows = image[low] * (1 - part)[:, None] + image[high] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, high] * part


def test_images_and_maps_are_scaled_and_blurred_as_the_authors_do(root: Path) -> None:
    sample = dataset(root).sample("val", 1)
    given = record(1, 999)
    levels, clicks = (np.array(Image.open(io.BytesIO(given[name]))) / 255 for name in ("image", "heatmap"))
    np.testing.assert_allclose(sample.image[0].numpy(), slowly_scaled(levels[:, :, 0], 224), atol=1e-5)
    # Their kernel: rows 4 down to -5, columns -5 up to 4, over a window from 4 before a pixel to 5 after it.
    rows, columns = np.arange(4, -6, -1)[:, None], np.arange(-5, 5)
    kernel = np.exp(-(rows**2 + columns**2) / 200)
    padded = np.zeros((11, 11))
    padded[1:, 1:] = kernel / kernel.sum()
    blurred = correlate(slowly_scaled(clicks, 64), padded, mode="constant")
    np.testing.assert_allclose(sample.truth.numpy(), slowly_scaled(blurred, 224), atol=1e-5)
    assert sample.truth.max() > 0.5
    assert sample.label == 999


def damaged(path: Path, change: bytes, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + len(change)] = change
    path.write_bytes(bytes(content))


def test_a_file_that_is_cut_off_or_none_of_tfrecords_is_refused(root: Path) -> None:
    path = root / "val/val-0.tfrecords"
    whole = path.read_bytes()
    for content, message in (
        (whole[:-9], "is cut off: .* bytes, expected"),
        (b"no records at all", "is no file of TFRecords at byte 0"),
        (whole + b"abc", f"is no file of TFRecords at byte {len(whole)}"),
    ):
        path.write_bytes(content)
        with pytest.raises(HeatmarkError, match=message):
            dataset(root).ids("val")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"label": 1000}, "label 1000; expected 0 to 999"),
        ({"label": b"tench"}, "label b'tench'; expected 0 to 999"),
        ({"image": b"no picture"}, "image cannot be read"),
        ({"heatmap": 3}, "heatmap cannot be read: a number in the place of a picture"),
        (record(0, side=200), "image is 200x200; expected 256x256"),
    ],
)
def test_what_is_wrong_with_a_record_is_said_in_one_line(root: Path, values: dict, message: str) -> None:
    write(root / "val/val-0.tfrecords", [example({**record(0), **values})])
    with pytest.raises(HeatmarkError, match=message) as raised:
        dataset(root).sample("val", 0)
    assert "val-0.tfrecords: record val/000/00000" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_lacks_a_feature_or_is_no_example_is_refused(root: Path) -> None:
    for content, message in (
        (example({"label": 1}), "has no 'image'; expected image, heatmap and label"),
        (b"\x0a\xff", "the bytes are no example"),
    ):
        write(root / "val/val-0.tfrecords", [content])
        with pytest.raises(HeatmarkError, match=message):
            dataset(root).sample("val", 0)


def test_a_root_that_is_not_set_or_holds_nothing(root: Path) -> None:
    with pytest.raises(HeatmarkError, match="set `root`"):
        ClickMe().ids("val")
    with pytest.raises(HeatmarkError, match=r"no shard of split 'train'; expected train/train-0.tfrecords"):
        dataset(root).ids("train")
    with pytest.raises(HeatmarkError, match="has no split 'vla'; did you mean 'val'"):
        dataset(root).ids("vla")


def test_features_of_other_kinds_are_passed_over() -> None:
    floats = field(1, field(1, b"score") + field(2, field(2, b"\x0d\x00\x00\x80\x3f")))
    own = field(1, floats + field(1, field(1, b"label") + field(2, field(3, field(1, varint(300))))))
    assert feature(own, "label") == 300
    assert feature(own, "score") is None
    assert feature(own, "other") is None
    assert torch.tensor(feature(example({"label": 2**40}), "label")) == 2**40
