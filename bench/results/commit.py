"""A folder that changes as a whole: files are written beside it, and all become part of it in one rename."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.errors import HeatmarkError
from bench.files import locked, sealed, unsealed, write_whole

_STAGED, _COMMITTED, _NAMES = ".staged", ".committed", ".names.json"


@contextmanager
def commit(folder: Path, sometimes: Sequence[str] = ()) -> Iterator[Path]:
    """A folder to write into; at the end of the block all of it takes the place of what `folder` has of these names.

    A reader that looks with `current` sees either all of it or nothing, whenever this process is killed; what a killed
    one has left is finished, or removed, by the next. A folder inside has nothing else in it afterwards, and
    files of the names in `sometimes` go where the block has not written them; other files of `folder` stay. Where the
    block fails nothing changes.
    """
    with locked(folder / ".lock", f"the result set {folder}"):
        _settle(folder)
        staged = folder / _STAGED
        staged.mkdir()
        try:
            yield staged
            names = sorted(path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file())
            write_whole(staged / _NAMES, sealed({"names": names, "gone": sorted({*sometimes} - {*names})}))
            # From here on all of it is there.
            staged.rename(folder / _COMMITTED)
            _finish(folder)
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def settle(folder: Path) -> None:
    """Finish or remove what a killed commit has left in a folder."""
    with locked(folder / ".lock", f"the result set {folder}"):
        _settle(folder)


def _settle(folder: Path) -> None:
    _finish(folder)
    shutil.rmtree(folder / _STAGED, ignore_errors=True)


def current(folder: Path, name: str) -> Path:
    """The file of this name in a folder, also where a commit was killed before it was moved there."""
    committed = folder / _COMMITTED / name
    return committed if committed.exists() else folder / name


def _finish(folder: Path) -> None:
    """Move what was committed to where it belongs; goes on where it was killed."""
    committed = folder / _COMMITTED
    if not (committed / _NAMES).exists():
        shutil.rmtree(committed, ignore_errors=True)
        return
    try:
        about = unsealed((committed / _NAMES).read_bytes())
    except ValueError as error:
        raise HeatmarkError(f"{committed} was left by a killed run and is damaged ({error}); remove it") from error
    names = about["names"]
    for name in about["gone"]:
        (folder / name).unlink(missing_ok=True)
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (committed / name).exists():
            (committed / name).replace(target)
    for inner in {(folder / name).parent for name in names} - {folder}:
        for path in inner.iterdir():
            if path.is_file() and path.relative_to(folder).as_posix() not in names:
                path.unlink()
    (committed / _NAMES).unlink()
    shutil.rmtree(committed, ignore_errors=True)
