"""The one boundary to an orchestrator.

What fails behind it is told by code and remedy, without a value, a secret or a side's words.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from flows.errors import reason, redacted
from reconcile.errors import ConnectorError, ReconcileError

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Failed(Exception):
    """A failure as an orchestrator may keep it.

    `error` is what happened, for whoever called in this process: to another one the words go alone.
    """

    def __init__(self, words: str, error: Exception | None = None) -> None:
        super().__init__(words)
        self.error = error or self

    def __reduce__(self) -> tuple[type[Failed], tuple[str]]:
        # What an exception holds beside its words would be pickled, too.
        return Failed, (str(self),)


def outward(error: BaseException) -> str:
    """What may leave the machine of an error: its code, what that code means, and the remedy.

    No side's own words.
    """
    if isinstance(error, ConnectorError):
        return redacted(_of_a_side(error))
    if isinstance(error, ReconcileError):
        return redacted(str(error))
    return redacted(reason(error))


def _of_a_side(error: ConnectorError) -> str:
    # The class's own docstring: what the side said may hold a person's value.
    meaning = (type(error).__doc__ or type(error).__name__).partition("\n")[0].rstrip(".")
    words = f"[{error.code}] {meaning}"
    if error.status:
        words += f" (answered {error.status})"
    if error.remedy:
        words += f" → {error.remedy}"
    return words


def sealed(body: Callable[Given, Result]) -> Callable[Given, Result]:
    """The body of a flow or task, from which every error comes out as Failed.

    It has neither cause nor context.
    """

    @functools.wraps(body)
    def within(*arguments: Given.args, **named: Given.kwargs) -> Result:
        failed: Failed
        try:
            return body(*arguments, **named)
        except Failed as error:
            failed = error
        except Exception as error:
            # Its own signals and errors pass: it acts on them, and nothing of a side is in them.
            if type(error).__module__.partition(".")[0] == "prefect":
                raise
            failed = Failed(outward(error), error)
        # Not in the handler: Python would keep what was handled as the context, and a logger may
        # write that down.
        raise failed.with_traceback(None)

    # Prefect looks the names of types up where the function says that it is from: here, not where
    # the body stands.
    with suppress(
        NameError
    ):  # a type that only the type checker imports: of a step, whose arguments nobody checks
        within.__annotations__ = inspect.get_annotations(body, eval_str=True)
        within.__signature__ = inspect.signature(body, eval_str=True)  # type: ignore[attr-defined]
    return within


def unsealed(call: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    """Call a sealed flow or task from within this process.

    What failed in it comes out as it happened.
    """
    try:
        return call(*arguments, **named)
    except Failed as failed:
        error = failed.error
    raise error
