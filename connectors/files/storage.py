"""Where files lie: on a disk or behind any fsspec URL.

They are found, read whole, and replaced in one step.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from connectors.files.parts import BrokenFileError
from reconcile.errors import to_open

_PATTERN = set("*?[")
_YOUNG = 60.0
"""Seconds since the last change.

After longer, a writer that is still at it would have written more.
"""


class MovedError(Exception):
    """A file was changed by someone else since it was read."""


class BusyError(Exception):
    """A file is held by someone else; the message says by whom."""


@dataclass(frozen=True, slots=True)
class File:
    """A file's content, and what tells whether it is still that.

    It is `young` where its writer may not be done with it.
    """

    content: bytes
    stamp: str
    young: bool = False


class Storage(Protocol):
    """A disk, or something like one."""

    def find(self, path: str, suffixes: tuple[str, ...]) -> list[str]:
        """The files that a declared path means, in order of their names.

        Raises BrokenFileError where there are none.
        """
        ...

    def stamp(self, name: str) -> str:
        """What changes when the file does. Raises OSError."""
        ...

    def fetch(self, name: str) -> File:
        """The whole file. Raises OSError."""
        ...

    def keep(self, name: str, content: bytes, backups: int) -> None:
        """Put the content beside the file as its newest backup, and let go of the oldest.

        Raises OSError.
        """
        ...

    def replace(self, name: str, content: bytes, stamp: str) -> None:
        """Make the content the file's in one step.

        Raises MovedError where its stamp is another by now, OSError.
        """
        ...

    def locked(self, name: str, seconds: float) -> AbstractContextManager[None]:
        """A context in which no other run writes to the file. Raises BusyError."""
        ...

    def highest(self, name: str, reached: int = 0) -> int:
        """The highest whole number that was ever a key there, as far as is known.

        `reached` is remembered.
        """
        ...


def storage_of(path: str, folder: Path, sleep: Callable[[float], None]) -> tuple[Storage, str]:
    """What a declared path lies on, and the path on it."""
    if "://" in path and not path.startswith("file://"):
        return _remote(path), path
    local = Path(path.removeprefix("file://")).expanduser()
    if not local.is_absolute():
        local = folder / local
    return Disk(sleep), str(local)


def _counts(name: str, suffixes: tuple[str, ...]) -> bool:
    return name.lower().endswith(suffixes) and not name.startswith((".", "~$"))


def bare(path: str) -> str:
    """A path as it may be shown: a URL without user and password."""
    return re.sub(r"//[^/@]*@", "//", path)


def _nothing(path: str, what: str) -> BrokenFileError:
    return BrokenFileError(f"{bare(path)} {what}", "correct the path, or put the file there")


class Disk:
    """A local disk. Symbolic links are followed, so that the file is replaced and not the link."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep

    def find(self, path: str, suffixes: tuple[str, ...]) -> list[str]:
        """See Storage."""
        given = Path(path)
        try:
            if given.is_dir():
                candidates = [file for file in given.iterdir() if file.is_file()]
            elif given.exists():
                return [str(given.resolve())]
            elif _PATTERN & set(given.name):
                candidates = list(given.parent.glob(given.name))
            else:
                raise _nothing(path, "does not exist")
        except OSError as error:
            raise _nothing(path, f"cannot be read ({error.strerror})") from None
        files = sorted(file for file in candidates if _counts(file.name, suffixes))
        if not files:
            wanted = " or ".join(f"*{suffix}" for suffix in suffixes)
            raise _nothing(path, f"holds no file named {wanted}")
        return [str(file.resolve()) for file in files]

    def stamp(self, name: str) -> str:
        """Inode, size and time of the last change."""
        status = Path(name).stat()
        return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"

    def fetch(self, name: str) -> File:
        """Read between two equal stamps.

        So no half of a write in place is taken for the file.
        """
        for _ in range(5):
            before = self.stamp(name)
            content = Path(name).read_bytes()
            if self.stamp(name) == before:
                young = abs(time.time() - Path(name).stat().st_mtime) < _YOUNG
                return File(content, before, young)
            self._sleep(0.05)
        raise BrokenFileError(
            f"{name} keeps changing while it is read", "run again when its writer is done"
        )

    def keep(self, name: str, content: bytes, backups: int) -> None:
        """name.bak-1 is the newest."""
        for at in range(backups, 1, -1):
            older = Path(f"{name}.bak-{at - 1}")
            if older.exists():
                older.replace(f"{name}.bak-{at}")
        if backups:
            self._durable(Path(f"{name}.bak-1"), content, like=name)

    def replace(self, name: str, content: bytes, stamp: str) -> None:
        """Through a temporary file beside it, synced before it takes the name."""
        file = Path(name)
        temporary = file.with_name(f".{file.name}.tmp")
        try:
            self._durable(temporary, content, like=name)
            if self.stamp(name) != stamp:
                raise MovedError(name)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
        directory = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    @staticmethod
    def _durable(file: Path, content: bytes, *, like: str) -> None:
        """Made anew, and readable by those alone who may read the file that it is like.

        That is so before there is anything in it.
        """
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            os.fchmod(out.fileno(), stat.S_IMODE(Path(like).stat().st_mode))
            out.write(content)
            out.flush()
            os.fsync(out.fileno())

    @contextmanager
    def locked(self, name: str, seconds: float) -> Iterator[None]:
        """An advisory lock that dies with its process, on a file beside.

        It also looks for those that office programs leave.
        """
        file = Path(name)
        for other in (f"~${file.name}", f".~lock.{file.name}#"):
            if (file.parent / other).exists():
                raise BusyError(f"{name} is open in another program: close it and run again")
        with ExitStack() as stack:
            beside = file.parent / f".{file.name}.lock"
            new = not beside.exists()
            lock = stack.enter_context(beside.open("a+"))
            if new and file.exists():
                # Whoever may write the file takes part in the lock, and nobody else.
                shutil.copymode(file, beside)
            self._wait(lock.fileno(), name, seconds)
            yield

    def highest(self, name: str, reached: int = 0) -> int:
        """Kept in the lock file: the number of a row that was deleted is never given to another."""
        file = Path(name)
        lock = file.parent / f".{file.name}.lock"
        known = 0
        if lock.exists():
            text = lock.read_text().strip()
            known = int(text) if text.isdecimal() else 0
        if reached > known:
            lock.write_text(str(reached))
        return max(known, reached)

    def _wait(self, lock: int, name: str, seconds: float) -> None:
        waited = 0.0
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if waited >= seconds:
                    raise BusyError(f"{name} is being written by another run") from None
            self._sleep(0.1)
            waited += 0.1


_IN_ONE_PIECE = frozenset(
    {
        "s3",
        "s3a",
        "gs",
        "gcs",
        "az",
        "abfs",
        "abfss",
        "adl",
        "oci",
        "oss",
        "r2",
        "b2",
        "hf",
        "memory",
    }
)
"""Schemes of stores in which a file appears whole or not at all."""


class Remote:
    """Anything behind an fsspec URL.

    It has no locks: a stamp that moved is what tells of another writer.
    """

    def __init__(self, files: Any, scheme: str) -> None:
        self._files = files
        self._scheme = scheme

    def find(self, path: str, suffixes: tuple[str, ...]) -> list[str]:
        """See Storage."""
        try:
            if _PATTERN & set(PurePosixPath(path).name):
                names = sorted(
                    name
                    for name in self._files.glob(path)
                    if _counts(PurePosixPath(name).name, suffixes)
                )
            elif self._files.isdir(path):
                listed = self._files.ls(path, detail=False, refresh=True)
                names = sorted(
                    name for name in listed if _counts(PurePosixPath(name).name, suffixes)
                )
            elif self._files.exists(path):
                names = [path]
            else:
                names = []
        # Each of fsspec's file systems fails in its own ways.
        except Exception as error:  # noqa: BLE001
            raise _nothing(path, f"cannot be reached ({type(error).__name__})") from None
        if not names:
            raise _nothing(path, "does not exist, or holds no such files")
        return list(map(self._whole, names))

    def _whole(self, name: str) -> str:
        """A name with its scheme, which most of fsspec's file systems leave out."""
        if "://" in name:
            return name
        return f"{self._scheme}://{name.lstrip('/')}"

    def stamp(self, name: str) -> str:
        """What the file system tells of the file: an ETag, a time, a size."""
        return str(self._call(lambda: self._files.ukey(name)))

    def fetch(self, name: str) -> File:
        """The whole file.

        What an object store holds was put there in one piece: it is never half written, so never
        young.
        """
        stamp = self.stamp(name)
        content = self._call(lambda: self._files.cat_file(name))
        size = self._call(lambda: self._files.info(name)).get("size")
        if self.stamp(name) != stamp:
            raise BrokenFileError(
                f"{name} changed while it was read", "run again when its writer is done"
            )
        if size is not None and size != len(content):
            what = f"{len(content):,} of the {size:,} bytes of {name} came"
            raise BrokenFileError(what, "run again; if it stays so, look at what serves the file")
        return File(content, stamp, young=self._young(name))

    def _young(self, name: str) -> bool:
        """Whether a writer that writes in place may not be done yet.

        Where nothing tells the file's age, it may not.
        """
        if self._scheme in _IN_ONE_PIECE:
            return False
        try:
            changed = self._files.modified(name)
        except Exception:  # noqa: BLE001 - many of fsspec's file systems do not know
            return True
        return bool(abs(time.time() - changed.timestamp()) < _YOUNG)

    def keep(self, name: str, content: bytes, backups: int) -> None:
        """name.bak-1 is the newest."""
        self._call(lambda: self._rotate(name, backups))
        if backups:
            self._call(lambda: self._files.pipe_file(f"{name}.bak-1", content))

    def _rotate(self, name: str, backups: int) -> None:
        for at in range(backups, 1, -1):
            if self._files.exists(f"{name}.bak-{at - 1}"):
                self._files.pipe_file(
                    f"{name}.bak-{at}", self._files.cat_file(f"{name}.bak-{at - 1}")
                )

    def replace(self, name: str, content: bytes, stamp: str) -> None:
        """One put, which object stores carry out whole or not at all."""
        if self.stamp(name) != stamp:
            raise MovedError(name)
        self._call(lambda: self._files.pipe_file(name, content))

    @contextmanager
    def locked(self, name: str, seconds: float) -> Iterator[None]:
        """Nothing to hold."""
        yield

    def highest(self, name: str, reached: int = 0) -> int:
        """Nothing is kept beside a remote file."""
        return reached

    def _call(self, work: Callable[[], Any]) -> Any:
        self._files.invalidate_cache()
        try:
            return work()
        except OSError:
            raise
        # Each of fsspec's file systems fails in its own ways.
        except Exception as error:  # noqa: BLE001
            raise OSError(f"{type(error).__name__}") from None


def _remote(path: str) -> Remote:
    import fsspec

    scheme = path.partition("://")[0]
    try:
        # Others put files there, too: a listing that this process remembers hides them.
        files, _ = fsspec.core.url_to_fs(path, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        what = f"{scheme}:// cannot be opened ({type(error).__name__})"
        raise BrokenFileError(what, to_open(scheme)) from None
    return Remote(files, scheme)
