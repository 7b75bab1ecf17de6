"""Imports what commands import, once, for all forks."""

import gc
import pkgutil
import platform
from importlib import import_module

# Libraries that a command imports when it needs them.
_LIBRARIES = (
    "matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg",
    "pandas",
    "pandas.core.computation.api", "pyarrow.parquet", "pyarrow.pandas_compat", "torch",
    "tokenizers",
    "safetensors.torch", "transformers", "scipy.stats", "scipy.stats.qmc", "numba", "sklearn",
    "tensorboardX",
    "networkx", "xml.etree.ElementTree", "PIL.Image", "rich._emoji_codes", "faulthandler", "lzma",
    "gzip",
)  # fmt: skip
# Ray is never started here, and importing it takes a second.
_WITHOUT = (
    "nas.__main__",
    "nas.execution.on_ray",
    "nas.execution.on_tune",
    "nas.execution.tune_searcher",
)


def warm_up() -> None:
    """Import the libraries and every module of the project."""
    for name in _LIBRARIES:
        import_module(name)
    for package in ("nas", "search_spaces", "surrogates"):
        walked = pkgutil.walk_packages(import_module(package).__path__, package + ".")
        for module in walked:
            if module.name not in _WITHOUT:
                import_module(module.name)

    import PIL.Image

    from search_spaces import load_space, pairwise_distances

    PIL.Image.init()
    pairwise_distances(load_space("flexibert-micro").sample(3, seed=0))  # compiled code, loaded
    platform.processor()  # remembers it; asks `uname` otherwise
    gc.collect()
    gc.freeze()
