"""Cut a list of tensors into files of bounded size, so that no more than one file is in memory."""

import math
from collections.abc import Sequence

from moestro_engine.huggingface.names import Parameter

MAX_FILE_BYTES = 2_000_000_000


def by_file(parameters: Sequence[Parameter], bytes_per_number: int, limit: int) -> list[list[Parameter]]:
    """The parameters in their order, in groups of at most ``limit`` bytes; a larger parameter is a group of its own."""
    groups: list[list[Parameter]] = []
    filled = limit
    for parameter in parameters:
        size = math.prod(parameter.shape) * bytes_per_number
        if filled + size > limit:
            groups.append([])
            filled = 0
        groups[-1].append(parameter)
        filled += size
    return groups
