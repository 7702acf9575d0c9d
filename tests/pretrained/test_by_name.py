"""Networks of other libraries by name: built, and with the preprocessing that the library itself reports."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import bench
from bench.api import Preprocess, Sample
from bench.data.transforms import prepare
from bench.errors import HeatmarkError
from bench.pretrained import efficientnet_lite, from_torchvision
from bench.pretrained.by_name import about, pretrained, untrained
from bench.pretrained.record import About

QUICK = ("resnet50", "efficientnet_b3", "vit_b_16", "inception_v3", "squeezenet1_1")
QUICK_TIMM = ("resnet50.a1_in1k", "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "convnext_tiny.fb_in22k")


def picture(height: int = 310, width: int = 437) -> Image.Image:
    """Smooth shapes and some noise: what a photograph has, so that interpolations differ."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / 9 + k) * np.cos(columns / (7 + k)) * 90 + 128 for k in range(3)]
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 3))
    return Image.fromarray((np.stack(waves, -1) + noise).clip(0, 255).astype(np.uint8))


def prepared(image: Image.Image, preprocess: Preprocess) -> Tensor:
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
    return prepare(Sample("picture", pixels, 0), preprocess).image


def check_torchvision(name: str) -> None:
    from torchvision.models import get_model_weights

    for weights in get_model_weights(name):
        if weights.meta["categories"] is None:
            with pytest.raises(HeatmarkError, match="without a classifier; did you mean 'IMAGENET1K_V1'"):
                about(name, weights.name)
            continue
        image = picture()
        torch.testing.assert_close(
            prepared(image, about(name, weights.name).preprocess), weights.transforms()(image), atol=1e-6, rtol=0
        )
        assert about(name, weights.name).categories == tuple(weights.meta["categories"])


def check_timm(name: str) -> None:
    from timm.data import create_transform, resolve_data_config
    from timm.models import get_pretrained_cfg

    config = resolve_data_config(pretrained_cfg=get_pretrained_cfg(name).to_dict())
    image = picture()
    own = prepared(image, about(f"timm:{name}").preprocess)
    torch.testing.assert_close(own, create_transform(**config)(image), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", QUICK)
def test_images_are_prepared_as_torchvision_s_weights_want(name: str) -> None:
    check_torchvision(name)


@pytest.mark.parametrize("name", QUICK_TIMM)
def test_images_are_prepared_as_timm_s_weights_want(name: str) -> None:
    check_timm(name)


@pytest.mark.long
@pytest.mark.parametrize("name", from_torchvision.names())
def test_every_classifier_of_torchvision_is_built_and_prepares_as_its_weights_want(name: str) -> None:
    check_torchvision(name)
    assert any(weights.shape[0] == 7 for weights in untrained(name, 7).parameters())


def timm_families() -> list[str]:
    """The smallest name of each family of timm's that has weights of a classifier."""
    import timm

    families = {}
    for name in sorted(timm.list_models(pretrained=True), key=lambda name: (len(name), name)):
        configuration = timm.models.get_pretrained_cfg(name)
        if configuration.num_classes and configuration.crop_mode != "border":
            families.setdefault(timm.models.model_entrypoint(name.partition(".")[0]).__module__, name)
    return sorted(families.values())


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_one_network_of_each_family_of_timm_is_built_and_prepares_as_its_weights_want() -> None:
    names = timm_families()
    assert len(names) > 60
    for name in names:
        check_timm(name)
        # Some families compute with their weights when they are built, which empty ones cannot.
        assert isinstance(untrained(f"timm:{name}", 7), torch.nn.Module), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: untrained("resnet51", 3), "no architecture 'resnet51'; did you mean 'resnet50'"),
        (lambda: about("resnet50", "IMAGENET1K_V3"), "torchvision has no weights 'IMAGENET1K_V3' of resnet50"),
        (lambda: about("timm:resnet50.a1_in1"), "timm has no weights 'resnet50.a1_in1'; did you mean"),
        (lambda: about("timm:resnet5"), "timm has no network 'resnet5'; did you mean 'resnet50'"),
        (lambda: pretrained("timm:resnet50", "IMAGENET1K_V1"), "its name says which"),
    ],
)
def test_what_no_library_has_is_one_line(call: Callable[[], object], message: str) -> None:
    with pytest.raises(HeatmarkError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folders in the place of torch's and Hugging Face's."""
    import huggingface_hub.constants

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def on_the_hub(caches: Path, repository: str) -> Path:
    """The folder of a commit of a repository in Hugging Face's cache, as the library lays it out."""
    folder = caches / "hub" / f"models--{repository.replace('/', '--')}"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    return snapshot


def same(module: torch.nn.Module, expected: dict[str, Tensor]) -> None:
    state = module.state_dict()
    for name, values in expected.items():
        torch.testing.assert_close(state[name], values)


def test_torchvision_s_weights_are_found_in_torch_s_folder(caches: Path) -> None:
    expected = untrained("squeezenet1_1", 1000).state_dict()
    folder = caches / "torch" / "hub" / "checkpoints"
    with pytest.raises(HeatmarkError, match=f"no weights at {folder}/squeezenet1_1-b8a52dc0.pth; put https://.* there"):
        pretrained("squeezenet1_1")
    folder.mkdir(parents=True)
    torch.save(expected, folder / "squeezenet1_1-b8a52dc0.pth")
    found = pretrained("squeezenet1_1", "IMAGENET1K_V1")
    same(found.module, expected)
    assert found.about.weights == "torchvision SqueezeNet1_1_Weights.IMAGENET1K_V1, squeezenet1_1-b8a52dc0.pth"
    (folder / "squeezenet1_1-b8a52dc0.pth").write_bytes(b"half a file")
    with pytest.raises(HeatmarkError, match=r"squeezenet1_1-b8a52dc0.pth is not a file of these weights"):
        pretrained("squeezenet1_1")


def test_timm_s_weights_are_found_in_the_hub_s_cache_with_their_revision(caches: Path) -> None:
    from safetensors.torch import save_file

    name = "test_resnet.r160_in1k"
    with pytest.raises(HeatmarkError, match=r"model.safetensors or pytorch_model.bin of timm/test_resnet.r160_in1k is"):
        pretrained(f"timm:{name}")
    expected = untrained(f"timm:{name}", 1000).state_dict()
    save_file(expected, on_the_hub(caches, f"timm/{name}") / "model.safetensors")
    found = pretrained(f"timm:{name}")
    same(found.module, expected)
    assert found.about.weights == f"timm {name}, timm/{name} model.safetensors at 0123456789ab"
    assert found.about.preprocess.size == (160, 160)
    assert (found.about.wordnet_ids[0], found.about.categories[0].split(",")[0]) == ("n01440764", "tench")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_hugging_face_s_weights_are_found_in_a_folder_and_in_the_cache(caches: Path) -> None:
    import transformers

    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        id2label={0: "tench, Tinca tinca", 1: "church"},
        label2id={"tench, Tinca tinca": 0, "church": 1},
    )
    model = transformers.ViTForImageClassification(config).eval()
    processor = transformers.ViTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=[0.4] * 3, image_std=[0.3] * 3, resample=3
    )
    with pytest.raises(HeatmarkError, match=r"of me/vit is not in .*hub; copy the folder models--me--vit"):
        pretrained("hf:me/vit")
    for folder in (caches / "own", on_the_hub(caches, "me/vit")):
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    images = torch.rand(2, 3, 32, 32)
    for name, source in (("me/vit", "Hugging Face me/vit at 0123456789ab"), (caches / "own", "Hugging Face own")):
        found = pretrained(f"hf:{name}")
        with torch.no_grad():
            torch.testing.assert_close(found.module.eval()(images), model(pixel_values=images).logits)
        assert found.about.weights == source
        assert found.about.categories == ("tench, Tinca tinca", "church")
        own = prepared(picture(), found.about.preprocess)
        theirs = processor(picture(), return_tensors="pt")["pixel_values"][0]
        torch.testing.assert_close(own, theirs, atol=1.01 / 255 / 0.3, rtol=0)


SAID = {"size": (32, 32), "mean": (0.4,) * 3, "std": (0.3,) * 3}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_folder_of_hugging_face_without_a_processor_takes_the_preprocess_that_is_given(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import transformers

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.ViTConfig(**sizes, image_size=32, patch_size=8, num_labels=3)
    folder = tmp_path / "tinyvit"
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    capfd.readouterr()
    found = pretrained(f"hf:{folder}").about
    assert "weights" not in capfd.readouterr().err.lower()  # a bar of transformers' own
    assert found.preprocess_with(SAID, "tinyvit") == Preprocess(**SAID)
    names = {"attributions": ["random_map"], "metrics": ["gini"], "device": "cpu"}
    images = [picture(40, 40)]
    model = {"architecture": f"hf:{folder}"}
    table = bench.evaluate(model | {"preprocess": {key: list(own) for key, own in SAID.items()}}, images, **names)
    for given in (SAID, Preprocess(**SAID), Preprocess((32, 32), mean=[0.4] * 3, std=[0.3] * 3)):
        scores = bench.evaluate(model, images, preprocess=given, **names)
        assert scores.score.tolist() == table.score.tolist()
    for lacking, told in (({}, ""), ({"size": (32, 32)}, ", which lacks mean, std")):
        with pytest.raises(HeatmarkError) as caught:
            bench.evaluate(model, images, preprocess=lacking or None, **names)
        expected = "has no preprocessor_config.json; set `preprocess` (size, mean, std)"
        assert str(caught.value) == f"model.architecture: {folder} {expected}{told}"
    (folder / "preprocessor_config.json").write_text("{")
    assert "preprocessor_config.json cannot be used: " in str(pretrained(f"hf:{folder}").about.preprocess)


def test_what_a_preprocess_cannot_say_is_said_by_the_suite() -> None:
    padded = About("xcit wants images padded or of another form")
    assert padded.preprocess_with(SAID, "xcit") == Preprocess(**SAID)
    with pytest.raises(HeatmarkError, match=r"^xcit wants .*; set `preprocess` \(size, mean, std\), which lacks size$"):
        padded.preprocess_with({key: SAID[key] for key in ("mean", "std")}, "xcit")


@pytest.mark.parametrize("name", efficientnet_lite.SIDES)
def test_efficientnet_lite_knows_a_cat_and_an_espresso(name: str) -> None:
    from skimage.data import chelsea, coffee

    found = pretrained(name)
    found.module.eval()
    for image, expected in ((chelsea(), {"tabby", "tiger cat", "Egyptian cat"}), (coffee(), {"espresso", "cup"})):
        with torch.no_grad():
            logits = found.module(prepared(Image.fromarray(image), found.about.preprocess)[None])
        assert found.about.categories[int(logits.argmax())] in expected


def test_another_size_than_that_of_the_weights_is_said(caplog: pytest.LogCaptureFixture) -> None:
    own = about("efficientnet_lite0")
    assert own.preprocess_with({}, "it").size == (224, 224)
    assert not caplog.records
    assert own.preprocess_with({"size": (96, 96)}, "it").resize == 256
    own.preprocess_with({"size": (96, 96), "resize": 110}, "it")
    first, second = (record.getMessage() for record in caplog.records)
    assert "it: preprocess.size is 96 x 96, and its weights want 224 x 224" in first
    assert "set `resize` too" in first
    assert "resize" not in second
