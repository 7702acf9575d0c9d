"""Tiny copies of torchvision's data sets as they lie on a disk: three images or fewer in every split."""

import bz2
import csv
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

RNG = np.random.default_rng(0)


def picture(path: Path, height: int = 12, width: int = 10) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)


def words(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def idx(path: Path, values: np.ndarray) -> None:
    """A file as MNIST has it: its type, its shape, its values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    types = {"uint8": 8, "int32": 12}
    shape = b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(
        bytes([0, 0, types[str(values.dtype)], values.ndim])
        + shape
        + values.astype(">u4" if values.dtype == np.int32 else "u1").tobytes()
    )


def imagenette(root: Path) -> None:
    for split in ("train", "val"):
        for wnid in ("n01440764", "n03888257"):
            picture(root / "imagenette2" / split / wnid / "a.JPEG")


def imagenet(root: Path) -> None:
    import torch

    torch.save(({"n01440764": ("tench", "Tinca tinca"), "n03888257": ("parachute",)}, ["n01440764"]), root / "meta.bin")
    for split in ("train", "val"):
        for wnid in ("n01440764", "n03888257"):
            picture(root / split / wnid / "a.JPEG")


def pets(root: Path) -> None:
    base = root / "oxford-iiit-pet"
    for split, animals in (("trainval", ("Abyssinian_1", "beagle_2")), ("test", ("Abyssinian_3", "beagle_4"))):
        words(base / "annotations" / f"{split}.txt", *(f"{name} {i + 1} {i + 1} 1" for i, name in enumerate(animals)))
        for name in animals:
            picture(base / "images" / f"{name}.jpg")
            trimap = np.full((12, 10), 2, np.uint8)
            trimap[3:9, 2:8], trimap[4:8, 3:7] = 3, 1
            (base / "annotations" / "trimaps").mkdir(exist_ok=True)
            Image.fromarray(trimap).save(base / "annotations" / "trimaps" / f"{name}.png")


def cifar(folder: str, meta: str, key: str, labels: str, names: tuple[str, ...]) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        base = root / folder
        base.mkdir(parents=True)
        (base / meta).write_bytes(pickle.dumps({key: ["apple", "bear"]}))
        for name in names:
            images = RNG.integers(0, 256, (2, 3072), dtype=np.uint8)
            (base / name).write_bytes(pickle.dumps({"data": images, labels: [0, 1]}))

    return write


def mnist(folder: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for split in ("train", "t10k"):
            idx(root / folder / "raw" / f"{split}-images-idx3-ubyte", RNG.integers(0, 256, (2, 28, 28), dtype=np.uint8))
            idx(root / folder / "raw" / f"{split}-labels-idx1-ubyte", np.array([3, 7], np.uint8))

    return write


def emnist(root: Path) -> None:
    for name in ("emnist-balanced-train", "emnist-balanced-test"):
        idx(root / "EMNIST" / "raw" / f"{name}-images-idx3-ubyte", RNG.integers(0, 256, (2, 28, 28), dtype=np.uint8))
        idx(root / "EMNIST" / "raw" / f"{name}-labels-idx1-ubyte", np.array([3, 40], np.uint8))


def qmnist(root: Path) -> None:
    for split in ("train", "test"):
        raw = root / "QMNIST" / "raw"
        idx(raw / f"qmnist-{split}-images-idx3-ubyte", RNG.integers(0, 256, (2, 28, 28), dtype=np.uint8))
        idx(raw / f"qmnist-{split}-labels-idx2-int", np.array([[3] + [0] * 7, [7] + [0] * 7], np.int32))


def usps(root: Path) -> None:
    line = "{} " + " ".join(f"{i}:0.5" for i in range(1, 257)) + "\n"
    for name in ("usps.bz2", "usps.t.bz2"):
        (root / name).write_bytes(bz2.compress("".join(line.format(digit) for digit in (4, 10)).encode()))


def semeion(root: Path) -> None:
    rows = np.concatenate([RNG.integers(0, 2, (2, 256)), np.eye(10)[[3, 7]]], axis=1)
    np.savetxt(root / "semeion.data", rows)


def svhn(root: Path) -> None:
    for split in ("train", "extra", "test"):
        images = RNG.integers(0, 256, (32, 32, 3, 2), dtype=np.uint8)
        savemat(root / f"{split}_32x32.mat", {"X": images, "y": np.array([[10], [4]])})


def stl(root: Path) -> None:
    base = root / "stl10_binary"
    words(base / "class_names.txt", "airplane", "bird")
    (base / "unlabeled_X.bin").touch()
    for split in ("train", "test"):
        RNG.integers(0, 256, (2, 3, 96, 96), dtype=np.uint8).tofile(base / f"{split}_X.bin")
        np.array([1, 2], np.uint8).tofile(base / f"{split}_y.bin")


def fer(root: Path) -> None:
    path = root / "fer2013" / "fer2013.csv"
    path.parent.mkdir()
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["emotion", "pixels", "Usage"])
        for usage in ("Training", "PublicTest", "PrivateTest"):
            table.writerow([3, " ".join(map(str, RNG.integers(0, 256, 48 * 48))), usage])


def in_folders(base: str, *classes: str, name: str = "a.jpg") -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for folder in classes:
            picture(root / base / folder / name)

    return write


def dtd(root: Path) -> None:
    for split in ("train", "val", "test"):
        words(root / "dtd" / "dtd" / "labels" / f"{split}1.txt", f"banded/{split}.jpg", f"dotted/{split}.jpg")
        for kind in ("banded", "dotted"):
            picture(root / "dtd" / "dtd" / "images" / kind / f"{split}.jpg")


def food(root: Path) -> None:
    for split in ("train", "test"):
        listed = {"waffles": [f"waffles/{split}"], "apple_pie": [f"apple_pie/{split}"]}
        words(root / "food-101" / "meta" / f"{split}.json", json.dumps(listed))
        for name in ("waffles", "apple_pie"):
            picture(root / "food-101" / "images" / name / f"{split}.jpg")


def aircraft(root: Path) -> None:
    data = root / "fgvc-aircraft-2013b" / "data"
    words(data / "variants.txt", "707-320", "A300B4")
    for number, split in enumerate(("train", "val", "trainval", "test")):
        words(data / f"images_variant_{split}.txt", f"{number}0 707-320", f"{number}1 A300B4")
        for place in range(2):
            picture(data / "images" / f"{number}{place}.jpg")


def signs(root: Path) -> None:
    base = root / "gtsrb"
    for sign in ("00000", "00007"):
        picture(base / "GTSRB" / "Training" / sign / "a.ppm")
    picture(base / "GTSRB" / "Final_Test" / "Images" / "0.ppm")
    words(base / "GT-final_test.csv", "Filename;ClassId", "0.ppm;16")


def clevr(root: Path) -> None:
    base = root / "clevr" / "CLEVR_v1.0"
    for split in ("train", "val"):
        picture(base / "images" / split / f"{split}.png")
        scene = {"image_filename": f"{split}.png", "objects": [{}, {}, {}]}
        words(base / "scenes" / f"CLEVR_{split}_scenes.json", json.dumps({"scenes": [scene]}))


def countries(root: Path) -> None:
    for split in ("train", "valid", "test"):
        for country in ("AD", "ZW"):
            picture(root / "country211" / split / country / "a.jpg")


def sentences(root: Path) -> None:
    for split in ("train", "valid", "test"):
        for name in ("negative", "positive"):
            picture(root / "rendered-sst2" / split / name / "a.png")


def flowers(root: Path) -> None:
    base = root / "flowers-102"
    base.mkdir()
    savemat(base / "setid.mat", {"trnid": [1, 2], "valid": [3, 4], "tstid": [5, 6]})
    savemat(base / "imagelabels.mat", {"labels": [1, 2, 77, 77, 2, 1]})
    for number in range(1, 7):
        picture(base / "jpg" / f"image_{number:05d}.jpg")


def cars(root: Path) -> None:
    base = root / "stanford_cars"
    (base / "devkit").mkdir(parents=True)
    savemat(base / "devkit" / "cars_meta.mat", {"class_names": np.array(["Acura", "Audi"], dtype=object)})
    kind = [("fname", object), ("class", object)]
    rows = np.array([("a.jpg", 2), ("b.jpg", 1)], dtype=kind)
    savemat(base / "devkit" / "cars_train_annos.mat", {"annotations": rows})
    savemat(base / "cars_test_annos_withlabels.mat", {"annotations": rows})
    for split in ("train", "test"):
        for name in ("a", "b"):
            picture(base / f"cars_{split}" / f"{name}.jpg")


def people(root: Path) -> None:
    base = root / "lfw-py"
    words(base / "lfw-names.txt", "Ada_L 1", "Grace_H 1")
    for split, name in (("DevTrain", "Ada_L"), ("DevTest", "Grace_H")):
        words(base / f"people{split}.txt", "1", f"{name}\t1")
        picture(base / "lfw_funneled" / name / f"{name}_0001.jpg")


def places(root: Path) -> None:
    words(root / "categories_places365.txt", "/a/airfield 0", "/z/zen_garden 1")
    words(root / "places365_train_standard.txt", "/a/airfield/1.jpg 0", "/z/zen_garden/2.jpg 1")
    words(root / "places365_val.txt", "3.jpg 1")
    picture(root / "data_large_standard" / "a" / "airfield" / "1.jpg")
    picture(root / "data_large_standard" / "z" / "zen_garden" / "2.jpg")
    picture(root / "val_large" / "3.jpg")


def naturalists(root: Path) -> None:
    for version in ("2021_train", "2021_train_mini", "2021_valid"):
        for number, name in enumerate(("Animalia_Chordata_Aves_O_F_G_one", "Plantae_P_C_O_F_G_two")):
            picture(root / version / f"{number:05d}_{name}" / "a.jpg")


def sun(root: Path) -> None:
    words(root / "SUN397" / "ClassName.txt", "/a/abbey", "/z/zoo")
    for place in ("a/abbey", "z/zoo"):
        picture(root / "SUN397" / place / "sun_1.jpg")


COPIES: dict[str, Callable[[Path], None]] = {
    "CIFAR10": cifar(
        "cifar-10-batches-py",
        "batches.meta",
        "label_names",
        "labels",
        (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"),
    ),
    "CIFAR100": cifar("cifar-100-python", "meta", "fine_label_names", "fine_labels", ("train", "test")),
    "CLEVRClassification": clevr,
    "Caltech101": in_folders(
        "caltech101/101_ObjectCategories", "BACKGROUND_Google", "ant", "wrench", name="image_0001.jpg"
    ),
    "Caltech256": lambda root: [
        picture(root / "caltech256" / "256_ObjectCategories" / f"{i:03d}.x" / f"{i:03d}_0001.jpg") for i in (1, 2)
    ],
    "Country211": countries,
    "DTD": dtd,
    "EMNIST": emnist,
    "EuroSAT": in_folders("eurosat/2750", "Forest", "River"),
    "FER2013": fer,
    "FGVCAircraft": aircraft,
    "FashionMNIST": mnist("FashionMNIST"),
    "Flowers102": flowers,
    "Food101": food,
    "GTSRB": signs,
    "INaturalist": naturalists,
    "ImageNet": imagenet,
    "Imagenette": imagenette,
    "KMNIST": mnist("KMNIST"),
    "LFWPeople": people,
    "MNIST": mnist("MNIST"),
    "OxfordIIITPet": pets,
    "Places365": places,
    "QMNIST": qmnist,
    "RenderedSST2": sentences,
    "SEMEION": semeion,
    "STL10": stl,
    "SUN397": sun,
    "SVHN": svhn,
    "StanfordCars": cars,
    "USPS": usps,
}
