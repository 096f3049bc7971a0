"""What frozen families have in common: one is found by name, all are held by a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, TypeVar

__all__ = ["Range", "chosen", "digest"]

Range = tuple[float, float]
"""Least and greatest of what is drawn."""

Family = TypeVar("Family")


def chosen(families: Mapping[str, Family], what: str, name: str, overrides: Any) -> Family:
    """A family by name, with fields replaced; `what` tells in an error which families these are."""
    if name not in families:
        raise ValueError(f"no {what} family {name!r}: choose from {', '.join(families)}")
    return replace(families[name], **overrides)  # type: ignore[type-var]


def digest(families: Mapping[str, Any], **others: Any) -> str:
    """Sha256 of the numbers of all families, and of others."""
    content = {**others, "families": {name: asdict(each) for name, each in families.items()}}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
