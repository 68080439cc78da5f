"""What a report of a fault should say about the machine."""
from __future__ import annotations

import platform
import sys
from importlib import metadata

import numpy as np

from perspicax.api.wrapping import public
from perspicax.xla.client import devices, process_count

__all__ = ["print_environment_info"]


@public
def print_environment_info(return_string: bool = False) -> str | None:
    """Print the versions, devices and platform that the program runs on.

    Args:
        return_string: whether to return the text instead.

    >>> print_environment_info(return_string=True).splitlines()[0]
    'perspicax: 0.1.0'
    """
    found = devices()
    kinds = {device.device_kind: sum([d.device_kind == device.device_kind for d in found]) for device in found}
    text = "\n".join([
        f"perspicax: {_version('perspicax')}",
        f"jaxlib: {_version('jaxlib')}",
        f"numpy: {np.__version__}",
        f"python: {sys.version}",
        f"devices: {', '.join(f'{n} × {kind}' for kind, n in kinds.items())}",
        f"process_count: {process_count()}",
        f"platform: {platform.uname()}",
    ])
    if return_string:
        return text
    print(text)
    return None


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"
