"""What a slide is made of. Texts know two marks, `code` and **strong**; everything else is shown as it stands."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Code", "Flow", "Points", "Question", "Slide", "Table", "code", "points"]


@dataclass(frozen=True, slots=True)
class Points:
    """Short statements, one below the other."""

    kind: ClassVar[str] = "points"
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A listing, and in which language or file it is."""

    kind: ClassVar[str] = "code"
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below a head."""

    kind: ClassVar[str] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """What the data passes, in order."""

    kind: ClassVar[str] = "flow"
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the audience."""

    text: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slide:
    """One slide. ``id`` is its name in the protocol, ``kicker`` the line above the title, ``notes`` are for the speaker alone."""

    id: str
    kicker: str
    title: str
    blocks: tuple[Points | Code | Table | Flow, ...]
    notes: str
    question: Question | None = None


def points(*items: str) -> Points:
    """Points, written without the second pair of parentheses."""
    return Points(items)


def code(label: str, text: str) -> Code:
    """A listing, indented as it stands in this file."""
    return Code(label, textwrap.dedent(text).strip())
