"""Suites that cannot be carried out: each is one line that names the file, exit status 2, and nothing is written."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import HeatmarkError
from bench.suites.read import read_suite
from tests.bad_input.commands import refused

SUITE = """
name = "mine"
seed = 1
[dataset]
name = "planted"
images = 4
[[networks]]
architecture = "small_plain"
training = { epochs = 1 }
[[attributions]]
name = "integrated_gradients"
[[metrics]]
name = "deletion"
step = 5
"""
HUGE = "9" * 5000
NONSENSE = ["-1", "0", "1.5", '"x"', "true", "[1]", "{ a = 1 }", "nan", "inf", "1979-05-27", str(2**70), HUGE, "''"]
COUNTS = ["epochs", "batch", "images", "validation_images"]


def with_line(after: str, line: str) -> str:
    assert after in SUITE
    return SUITE.replace(after, f"{after}\n{line}", 1)


def top(key: str, value: str) -> str:
    return with_line('name = "mine"', f"{key} = {value}")


def dataset(key: str, value: str) -> str:
    return with_line('name = "planted"', f"{key} = {value}").replace("images = 4\n", "", 1)


def network(line: str) -> str:
    return with_line('architecture = "small_plain"', line)


def training(key: str, value: str) -> str:
    return SUITE.replace("epochs = 1", f"{key} = {value}")


def wrong_types() -> list[str]:
    """Every key with values that it cannot have."""
    found = [top(key, value) for key in ("batch",) for value in NONSENSE]
    found += [top("gallery", value) for value in ("-1", "1.5", '"x"', "true", "[]", "nan", str(2**70), HUGE)]
    found += [top("target", value) for value in ('"x"', "1", "[]", "true")]
    found += [top("only_correct", value) for value in ("1", '"x"', "[]", '"true"')]
    seeds = ("1.5", '"x"', "true", "nan", str(2**70), str(-(2**70)), HUGE)
    found += [SUITE.replace("seed = 1", f"seed = {value}") for value in seeds]
    found += [dataset(key, value) for key in ("images", "references", "accuracy_images") for value in NONSENSE]
    found += [training(key, value) for key in COUNTS for value in NONSENSE]
    rates = ("-1", "0", "nan", "inf", "-inf", '"x"', "[]", "true")
    found += [training("learning_rate", value) for value in rates]
    found += [training("momentum", value) for value in ("-1", "1", "2", "nan", '"x"')]
    found += [training("warm_up", value) for value in ("-1", "1", "1.5", "nan", "inf", '"x"')]
    found += [training("weight_decay", value) for value in ("-1", "nan", "inf", '"x"')]
    found += [training("betas", value) for value in ("[0.9]", "[2, 3]", "[-1, 0.9]", "[0.9, 1.0]", "[nan, 0.9]", "0.9")]
    found += [training("milestones", value) for value in ("[2]", "[nan]", "[-1]", "[0.9, 0.1]", '["x"]', "0.5")]
    found += [training("optimiser", value) for value in ('"sdg"', "1", '""')]
    found += [training("schedule", value) for value in ('"cos"', "1")]
    found += [training("precision", value) for value in ('"float16"', "16")]
    found += [training("keep", value) for value in ('"first"', "1")]
    found += [training("workers", value) for value in ("-1", "1.5", str(2**70))]
    found += [training("augmentation", value) for value in ("1", "{ flip = 2 }", "{ flip = nan }", "{ blur = 2 }")]
    found += [training("augmentation", f"{{ {key} = {value} }}") for key in STRENGTHS for value in ("-1", "nan", '"x"')]
    return found


STRENGTHS = ("rotation", "brightness", "contrast", "saturation", "hue")


def wrong_networks() -> list[str]:
    """Networks that are none."""
    sizes = ("[1, 1]", "[0, 0]", "[64]", "[64, 64, 64]", "64", "[-1, 64]", "[1.5, 64]", "[1000000, 64]", '"64"')
    found = [network(f"preprocess = {{ size = {value} }}") for value in sizes]
    found += [network(f"preprocess = {{ resize = {value} }}") for value in ("0", "1", "[1]", "-5", '"x"', str(2**70))]
    means = ("[0.5]", "[]", "0.5", '["x", 0.5, 0.5]', "[nan, 0.5, 0.5]", "[inf, 0.5, 0.5]", "[0.5, 0.5, 0.5, 0.5]")
    found += [network(f"preprocess = {{ mean = {value} }}") for value in means]
    deviations = ("[0.5]", "[0.0, 1.0, 1.0]", "[-1.0, 1.0, 1.0]", "[nan, 1.0, 1.0]", "[inf, 1.0, 1.0]", "1")
    found += [network(f"preprocess = {{ std = {value} }}") for value in deviations]
    found += [network("preprocess = { mean = [0.5], std = [0.5] }"), network("preprocess = { sise = [64, 64] }")]
    found += [network(f"seeds = {value}") for value in ("[]", "0", '["x"]', "[1.5]", "[0, 0]", f"[{2**70}]")]
    found += [network(f"outputs = {value}") for value in ("0", "-1", "1.5", '"x"', str(2**70), HUGE)]
    found += [network(f"label_map = {value}") for value in ("[[0]]", "[1.5]", '["x"]', "[-2]", "1", f"[{2**70}]")]
    found += [
        network(f"recipe = {value}") for value in ('"standard"', "{}", "1", "{ name = 1 }", '{ name = "stndard" }')
    ]
    found += [network(f"recipes = {value}") for value in ('"standard"', "1", '[{ name = "mdry" }]', "[1]", "[[]]")]
    found += [network(f"weights = {value}") for value in ("1", "[]", "true", '"$NO_SUCH_VARIABLE/x"')]
    found += [SUITE.replace("training = { epochs = 1 }", line) for line in ("training = 1", "training = []")]
    return found


NAMES = [
    *("..", ".", "", " ", "a/b", "../up", "/absolute", "a\\\\b", "-x", "=1+1", "+1", "@sum", "\\t=1", "a\\nb", "a\\rb"),
    *(
        "\\u001b[31mred",
        "\\u0000",
        "a\\u0007",
        "x" * 101,
        " a",
        "a ",
        ".hidden",
        "a|b",
        "<script>",
        "\\u200bx",
        "\\u202ex",
    ),
]


def wrong_names() -> list[str]:
    """What is no name, in each place where a name stands."""
    found = [SUITE.replace('"mine"', f'"{name}"') for name in [*NAMES, "a b", "ä/ö"]]
    found += [network(f'name = "{name}"') for name in NAMES if name]
    found += [SUITE.replace('"small_plain"', f'"{name}"') for name in ("", "..", "\\u001b[31m", "=x", "a\\nb")]
    found += [
        SUITE.replace('"planted"', f'"{name}"') for name in ("", "..", "../planted", "\\u001b[31m", "a\\nb", "captum:x")
    ]
    found += [
        SUITE.replace('"integrated_gradients"', f'"{name}"') for name in ("", "..", "x", "a:b", ":", "\\u001b[1m")
    ]
    found += [SUITE.replace('"deletion"', f'"{name}"') for name in ("", "planted", "x", "a:b", "deletion ")]
    found += [SUITE.replace("step = 5", f'{key} = "\\u001b[31m"') for key in ("step", "protocol", "stp")]
    return found


def wrong_shapes() -> list[str]:
    """Files that are no suite, or have a table too many, too few, or of another kind."""
    found = [
        "",
        "x",
        "[",
        "[[",
        "=",
        "a = ",
        "a = 1\na = 2",
        "\ufeff",
        "# nothing",
        "[a]\n[a]",
        'a = "\\q"',
        "a = 'x",
        '"""',
    ]
    found += ["a = " + "[" * 5000 + "]" * 5000, "a = " + "{ a = " * 3000 + "1" + " }" * 3000, "[" + "a." * 3000 + "a]"]
    found += [f"name = {value}" for value in ("1", "[]", "{}", "true", "1979-05-27", HUGE)]
    for table in ("[dataset]", "[[networks]]", "[[attributions]]", "[[metrics]]"):
        found += [SUITE.replace(table, other, 1) for other in ("[x]", "[[x]]", table[1:-1], "[[dataset]]")]
    plurals = ("attributions", "metrics", "networks")
    found += [SUITE.replace(f"[[{key}]]", f"[{key}]") for key in plurals]
    found += [top(key, value) for key in ("dataset", *plurals) for value in ("1", "[]", "{}", '"x"', "[1]")]
    found += [top(key, "1") for key in ("nme", "batches", "quik", "attack", "engine", "device", "Name")]
    found += [f"{SUITE}\n[attack]\n{line}" for line in ATTACKS] + [f"{SUITE}\n[engine]\n{line}" for line in ENGINES]
    found += [f'{SUITE}\n[[attributions]]\nname = "{name}"' for name in ("integrated_gradients", "x")]
    return found


ATTACKS = (
    [f"epsilon = {value}" for value in ("0", "-1", "nan", "inf", "2", '"x"', "[]")]
    + ["steps = 0"]
    + [f"{key} = {value}" for key in ("steps", "images") for value in ("-1", "1.5", '"x"', str(2**70))]
)
ENGINES = [
    *('precision = "fp16"', "precision = 16", "tolerance = 0", "tolerance = -1", "tolerance = nan", "tolerance = inf"),
    *(
        "audit_images = 0",
        "mixed_tolerance = 0",
        'compiler = "gcc"',
        "compiler = true",
        "chunk = 3",
        f"audit_images = {2**70}",
    ),
]


def wrong_settings() -> list[str]:
    """Settings of plug-ins that they do not have, or that are none."""
    found = [SUITE.replace("step = 5", f"step = {value}") for value in NONSENSE]
    found += [
        SUITE.replace("step = 5", line) for line in ("stp = 5", "protocol = 1", 'protocol = "x"', "tolerance = nan")
    ]
    method = '"integrated_gradients"'
    found += [SUITE.replace(method, f"{method}\nnodes = {value}") for value in NONSENSE]
    for line in ('reduction = "x"', "reduction = 1", "tolerance = nan", "tolerance = inf", "node = 3", "name2 = 1"):
        found.append(SUITE.replace(method, f"{method}\n{line}"))
    for line in ("noise = nan", "noise = inf", "samples = 0", "samples = -1", "of = 1", f"samples = {2**70}"):
        found.append(SUITE.replace(method, f'"smooth_grad"\n{line}'))
    for line in ("epsilon = nan", "epsilon = inf", "steps = 0", 'step = "x"'):
        found.append(network(f'recipe = {{ name = "madry", {line} }}'))
    return found


CASES = [*wrong_types(), *wrong_networks(), *wrong_names(), *wrong_shapes(), *wrong_settings()]


def test_there_are_many() -> None:
    assert len(set(CASES)) > 400


@pytest.mark.parametrize("content", CASES, ids=range(len(CASES)))
def test_a_bad_suite_is_one_line(content: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.toml").write_text(content, encoding="utf-8")
    said = refused(["run", "mine.toml"], tmp_path, capfd)
    assert "mine.toml" in said


@pytest.mark.parametrize("content", [b"\xff\xfe", b'name = "\xe9"', b"\0", b"a = 1\r\0", bytes(range(256))])
def test_a_suite_that_is_no_text_is_one_line(content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.toml").write_bytes(content)
    assert "mine.toml" in refused(["run", "mine.toml"], tmp_path, capfd)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["name", "seed", "batch", "dataset", "networks", "attributions", "metrics", "attack", "engine"])


@given(st.dictionaries(KEYS | st.text(max_size=5), VALUES, max_size=4))
def test_whatever_is_laid_over_a_suite_is_read_or_refused_in_one_line(above: dict[str, object]) -> None:
    with suppress(HeatmarkError):  # which is one printable line wherever it comes from
        read_suite("embedded", above)


@given(st.text(max_size=200))
def test_whatever_a_file_holds_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(content, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(HeatmarkError, match=r"^[^\n]*any\.toml[^\n]*$"):
        read_suite(str(path))
