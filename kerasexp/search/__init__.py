"""Searches: trials that keras-tuner proposes, their results, and the confirmation of the winner.

The package can be called: `kerasexp.search(...)` is the function in `kerasexp.api`. Python puts a subpackage that has been
imported in the place of a function of the same name.
"""

import sys
from types import ModuleType
from typing import Any

import kerasexp


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return kerasexp.__getattr__("search")(*arguments, **keywords)


sys.modules[__name__].__class__ = _Callable
