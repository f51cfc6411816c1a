"""Packages that only some inputs need."""

import importlib
import sys
from types import ModuleType

from moestro_engine.errors import EngineError


def load_optional(name: str, purpose: str) -> ModuleType:
    """The package, or EngineError that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise EngineError(
            f"{purpose}: needs the Python package {name}, which {sys.executable} lacks; "
            f"install it: {sys.executable} -m pip install {name}"
        ) from None
