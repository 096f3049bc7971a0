"""What frozen families have in common: one is found by name, all are held by a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, TypeVar

__all__ = ["Range", "are_ranges", "chosen", "digest"]

Range = tuple[float, float]
"""Least and greatest of what is drawn."""

Family = TypeVar("Family")


def chosen(families: Mapping[str, Family], what: str, name: str, overrides: Any) -> Family:
    """A family by name, with fields replaced; `what` tells in an error which families these are."""
    if name not in families:
        raise ValueError(f"no {what} family {name!r}: choose from {', '.join(families)}")
    return replace(families[name], **overrides)  # type: ignore[type-var]


def are_ranges(family: Any, names: Iterable[str]) -> None:
    """Refuse a family any of whose ranges has its ends the wrong way round."""
    for name in names:
        low, high = getattr(family, name)
        if not low <= high:
            raise ValueError(f"{name} is a range (low, high); found {(low, high)}")


def digest(families: Mapping[str, Any], **others: Any) -> str:
    """Sha256 of the numbers of all families, and of others."""
    content = {**others, "families": {name: asdict(each) for name, each in families.items()}}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
