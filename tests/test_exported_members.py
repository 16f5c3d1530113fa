"""Check that the package's public names are exactly ``__all__``."""

from __future__ import annotations

import pkgutil
from types import FunctionType, ModuleType

import vibe_notebook

EXPORTED: list[str] = getattr(vibe_notebook, "__all__", [])
# IPython finds these by name; no code imports them.
HOOKS = {"load_ipython_extension", "unload_ipython_extension"}


def test_the_list_of_public_names_is_sorted_and_without_duplicates() -> None:
    assert sorted(set(EXPORTED)) == list(EXPORTED)


def test_every_public_name_exists() -> None:
    missing = [name for name in EXPORTED if not hasattr(vibe_notebook, name)]
    assert missing == []


def test_every_visible_name_of_the_package_is_public() -> None:
    for name in EXPORTED:
        getattr(vibe_notebook, name)  # a lazy one is now in vars() too
    ours = {
        name
        for name, value in vars(vibe_notebook).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and str(getattr(value, "__module__", "")).startswith("vibe_notebook")
    }
    assert ours - HOOKS - set(EXPORTED) == set()


def test_dir_offers_every_public_name_before_it_is_used() -> None:
    assert set(EXPORTED) <= set(dir(vibe_notebook))


def test_no_submodule_has_the_name_of_a_public_function() -> None:
    submodules = {module.name for module in pkgutil.iter_modules(vibe_notebook.__path__)}
    functions = {name for name in EXPORTED if isinstance(getattr(vibe_notebook, name), FunctionType | type)}
    assert submodules & functions == set()
