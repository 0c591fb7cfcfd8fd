"""Secrets by reference: `env:NAME` and `file:PATH`, so that a pair file can be shown to anyone."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, SecretStr

from flows.config.lines import KeyPath
from flows.config.problems import Problems, name

_GROUP_AND_OTHERS, _OTHERS = 0o077, 0o007
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode's controls, marks of format, halves of characters, and line ends."""

_SECRETS_AMONG = frozenset({"headers", "params"})
"""Tables of a JSON API's with names of its own, any of which may be a secret."""

Form = TypeVar("Form", bound=BaseModel)


def is_reference(text: str) -> bool:
    """Whether a text says where a secret is kept."""
    return text.startswith(("env:", "file:")) and not text.startswith("file://")


@dataclass(slots=True)
class Resolver:
    """Follows references; `folder` is what file paths are relative to.

    `in_file` are the places whose text stands in the file.
    """

    environ: Mapping[str, str]
    folder: Path
    problems: Problems
    in_file: set[KeyPath] = field(default_factory=set)

    def table(self, form: Form, path: KeyPath) -> Form:
        """The same table with every reference replaced by what it refers to.

        It is done in tables below it, too.
        """
        followed: dict[str, object] = {}
        for key in type(form).model_fields:
            value = getattr(form, key)
            if isinstance(value, SecretStr):
                followed[key] = self.secret(value, (*path, key))
            elif isinstance(value, BaseModel):
                followed[key] = self.table(value, (*path, key))
            elif isinstance(value, dict) and key in _SECRETS_AMONG:
                followed[key] = self.loose(value, (*path, key))
            else:
                self.plain(value, (*path, key))
        return form.model_copy(update=followed)

    def plain(self, value: object, path: KeyPath) -> None:
        """Note a variable that is to be looked up for what is printed, sent and kept.

        A table's name, a location, a constant.
        """
        if isinstance(value, dict):
            for key, item in value.items():
                self.plain(item, (*path, str(key)))
        elif isinstance(value, list):
            for at, item in enumerate(value):
                self.plain(item, (*path, at))
        elif isinstance(value, str) and value.startswith("env:"):
            what = (
                f"{name(path)} is {value}, which stands for a secret, and this is none: "
                "it is printed, sent and kept"
            )
            self.problems.add(path, what, "Write the value itself.")

    def loose(self, value: object, path: KeyPath) -> object:
        """A table without a form: texts that are references become secrets, all else stays."""
        if isinstance(value, dict):
            return {key: self.loose(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self.loose(item, (*path, at)) for at, item in enumerate(value)]
        if isinstance(value, str) and is_reference(value):
            return self.secret(SecretStr(value), path)
        return value

    def secret(self, reference: SecretStr, path: KeyPath) -> SecretStr:
        """What a reference refers to; the text itself where it is none."""
        text = reference.get_secret_value()
        if text.startswith("env:"):
            return SecretStr(self._variable(text.removeprefix("env:"), path))
        if is_reference(text):
            return SecretStr(self._file(text.removeprefix("file:"), path))
        if not text.strip():
            self.problems.add(
                path,
                f"{name(path)} is empty",
                'Write "env:NAME", the name of an environment variable.',
            )
        self._check(text, path)
        self.in_file.add(path)
        return reference

    def _variable(self, variable: str, path: KeyPath) -> str:
        value = self.environ.get(variable, "").strip()
        self._check(value, path)
        if not value:
            state = "is empty" if variable in self.environ else "is not set"
            what = f"{name(path)}: the environment variable {variable or '(no name)'} {state}"
            self.problems.add(path, what, f"Set it before the run: export {variable or 'NAME'}=…")
        return value

    def _file(self, written: str, path: KeyPath) -> str:
        try:
            file = self.folder / Path(written).expanduser()
            value = file.read_text(encoding="utf-8").strip()
            stat = file.stat()
        except (OSError, ValueError, RuntimeError) as error:
            what = f"{name(path)}: the file {written} cannot be read ({type(error).__name__})"
            self.problems.add(
                path, what, "Put the secret there, alone, readable by the user who runs the job."
            )
            return ""
        self._check(value, path)
        # A group that the file's owner is not us for is how a cluster hands a secret to a job.
        others = _GROUP_AND_OTHERS if stat.st_uid == os.getuid() else _OTHERS
        if stat.st_mode & others:
            what = (
                f"{name(path)}: others can read the file {written} (mode "
                f"{stat.st_mode & 0o777:04o})"
            )
            self.problems.add(
                path, what, f"chmod 600 {written}, and consider whether the secret is known by now."
            )
        if not value:
            self.problems.add(
                path, f"{name(path)}: the file {written} is empty", "Put the secret there."
            )
        return value

    def _check(self, value: str, path: KeyPath) -> None:
        """Note a character that no secret has, by its name alone.

        The header or the URL it goes into could not be made of it.
        """
        for at, sign in enumerate(value, start=1):
            if unicodedata.category(sign) in _UNSEEN:
                what = (
                    f"{name(path)} holds an invisible character (U+{ord(sign):04X}, "
                    f"the {at}. of {len(value)})"
                )
                self.problems.add(
                    path, what, "Copy it once more, without what copy and paste added, or type it."
                )
                return
