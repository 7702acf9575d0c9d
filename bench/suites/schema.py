"""The tables of a suite's TOML file, as pydantic validates them."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bench.settings import LARGEST, LIBRARIES, Compiler, Interpolation, OutputKind, Precision, check_name
from bench.training.hyperparameters import Training

Settings = dict[str, Any]
Name = Annotated[str, AfterValidator(check_name)]
Positive = Annotated[int, Field(gt=0, le=LARGEST)]
Pixels = Annotated[int, Field(gt=1, le=2**14)]


def _height_and_width(size: Any) -> Any:
    if isinstance(size, list) and len(size) == 2:
        return tuple(size)
    raise ValueError(f"expected [height, width], got {size}")


def _side_or_both(size: Any) -> Any:
    if isinstance(size, list) and len(size) != 2:
        raise ValueError(f"expected the length of the shorter side, or [height, width], got {size}")
    return tuple(size) if isinstance(size, list) else size


Size = Annotated[tuple[Pixels, Pixels], BeforeValidator(_height_and_width)]
Resize = Annotated[Pixels | tuple[Pixels, Pixels] | None, BeforeValidator(_side_or_both)]
Seed = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Above = Annotated[float, Field(gt=0, allow_inf_nan=False)]
CHANNELS = 3


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DatasetTable(_Table):
    """Which images: a data set (with settings of its own), a split, and how many, evenly spaced; None for all."""

    model_config = ConfigDict(extra="allow")
    name: str
    split: str | None = None
    images: Positive | None = None
    accuracy_images: Positive | None = None
    references: Positive = 16


class PreprocessTable(_Table):
    """How images are brought to the network, as in `bench.api.network.Preprocess`."""

    size: Size = (64, 64)
    resize: Resize = None
    mean: tuple[Finite, ...] = (0.5, 0.5, 0.5)
    std: tuple[Above, ...] = (0.25, 0.25, 0.25)
    interpolation: Interpolation = "bilinear"
    antialias: bool = True

    @model_validator(mode="after")
    def _as_many(self) -> "PreprocessTable":
        if not len(self.mean) == len(self.std) > 0:
            raise ValueError(f"{len(self.mean)} means and {len(self.std)} deviations: expected one of each per channel")
        if len(self.mean) != CHANNELS:
            raise ValueError(f"{len(self.mean)} means and deviations: expected {CHANNELS}, images are RGB")
        return self


class NetworkTable(_Table):
    """A network: an architecture, and weights of its library, from a file, or from training by a recipe.

    Without `weights` and `training` a network of a library comes with the library's weights, which `weights` may name
    ("DEFAULT", or torchvision's such as "IMAGENET1K_V2"); they are fetched where they are not here only with
    `download`. They say how they want images; `preprocess` overrides it key by key, and says `size`, `mean` and `std`
    where they do not (a folder of Hugging Face's without a `preprocessor_config.json`). `weights` may also be a file,
    with `{seed}` in it one for each seed. `outputs` defaults to those of the weights, or to the classes of the data
    set; `output` is what the network returns (`bench.api.Network`). `label_map` lists the output for each label, or
    names a JSON file from class number (counted from 1) to output; it may be left out where the weights' outputs have
    WordNet ids or names that the classes have. A suite's file may have `recipes` in the place of `recipe`: a network
    for each of them.
    """

    architecture: str
    name: Name | None = None
    weights: str | None = None
    download: bool = False
    outputs: Positive | None = None
    output: OutputKind = "logits"
    label_map: tuple[Annotated[int, Field(ge=-1, le=LARGEST)], ...] | str | None = None
    recipe: Settings = Field(default_factory=lambda: {"name": "standard"})
    training: Training | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    preprocess: PreprocessTable = PreprocessTable()

    @model_validator(mode="after")
    def _named(self) -> "NetworkTable":
        check_name(self.label)
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)}: expected each once")
        return self

    @property
    def label(self) -> str:
        """The name, or the architecture without its folder."""
        return self.name or self.architecture.rpartition("/")[2].replace(":", "-")

    @property
    def runs_code(self) -> bool:
        """Whether the architecture is somebody's own callable, `package.module:function` or `file.py:function`."""
        return ":" in self.architecture and not self.architecture.startswith(LIBRARIES)

    @model_validator(mode="after")
    def _trains_logits(self) -> "NetworkTable":
        if self.training is not None and self.output != "logits":
            raise ValueError(f'output "{self.output}": recipes train networks that return logits; expected "logits"')
        return self


class EngineTable(_Table):
    """How perturbation metrics are carried out.

    `auto` takes the fastest precision that moves no score of a sample of images by more than `tolerance` and
    changes no significant rank; the audit is in the manifest, also for a precision that is set by name.
    `mixed` computes curves of probabilities in bf16, and again in fp32 where that could move an area by more than
    `mixed_tolerance` of its range. `compiler` is a back end of torch.compile, or `openvino`, for the forward passes,
    left out with one line of the log where it does not work here; `auto` measures whether one is faster than none.
    """

    precision: Precision | Literal["auto"] = "fp32"
    tolerance: Above = 0.002
    mixed_tolerance: Above = 5e-4
    audit_images: Positive = 8
    compiler: Compiler | Literal["auto"] = "none"


class AttackTable(_Table):
    """The attack under which accuracy is measured as well: projected gradient descent from a random start.

    `epsilon`: the largest change of a pixel of [0, 1]; each of `steps` is 2.5 epsilon / steps long, as Madry et al.
    (2018, arXiv:1706.06083) evaluate. `images`: how many, evenly spaced over the split; 0 attacks none.
    """

    epsilon: Annotated[float, Field(gt=0, le=1)] = 2 / 255
    steps: Positive = 10
    images: Annotated[int, Field(ge=0, le=LARGEST)] = 64

    @property
    def step(self) -> float:
        """The length of a step in pixels of [0, 1]."""
        return 2.5 * self.epsilon / self.steps


class SuiteTable(_Table):
    """The whole file.

    `question` is what the suite compares, `asks` the same in a sentence. `smallest` has differences below which metrics
    call two entries equal, by the name or label of the metric, where it is not to be the metric's own.
    """

    name: Annotated[Name, Field(pattern=r"^[\w.-]+$")]
    question: Literal["methods", "recipes", "protocols", "metrics"] = "methods"
    asks: Annotated[str, Field(pattern=r"^\S.*\?$")] | None = None
    smallest: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    seed: Seed = 0
    target: Literal["predicted", "label"] = "predicted"
    only_correct: bool = False
    batch: Positive = 32
    gallery: Annotated[int, Field(ge=0, le=LARGEST)] = 4
    engine: EngineTable = EngineTable()
    attack: AttackTable = AttackTable()
    dataset: DatasetTable
    networks: Annotated[tuple[NetworkTable, ...], Field(min_length=1)]
    attributions: Annotated[tuple[Settings, ...], Field(min_length=1)]
    metrics: Annotated[tuple[Settings, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_classes(self) -> "SuiteTable":
        numbers = [network.name or network.architecture for network in self.networks if network.output == "number"]
        if numbers and (self.target == "label" or self.only_correct):
            rule = 'target = "label"' if self.target == "label" else "only_correct"
            raise ValueError(f'{rule}: network {numbers[0]} has output = "number", and so no classes')
        return self
