"""Loaded by schemathesis, in its own process: put what exists into most of what it makes up.

Without it every booking would be of a pool and a team that are not there.
"""

import json
import os
import zlib
from typing import Any, Final

import schemathesis

# By field: values that make sense now.
KNOWN: Final[dict[str, list[Any]]] = json.loads(os.environ["GPUAAS_FUZZ_KNOWN"])
ONE_OF: Final = (("yaml", "scenario"), ("node", "pool"))
LEFT_ALONE: Final = 4  # one in so many stays as it was made up


def _sensible(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    number = zlib.crc32(json.dumps(data, sort_keys=True, default=str).encode())
    if number % LEFT_ALONE == 0:
        return data
    made = {
        name: KNOWN[name][number % len(KNOWN[name])] if name in KNOWN else value
        for name, value in data.items()
    }
    for one, other in ONE_OF:
        if one in made and other in made:
            del made[other]
    return made


@schemathesis.hook
def map_body(_context: schemathesis.HookContext, body: Any) -> Any:
    return _sensible(body)


@schemathesis.hook
def map_query(_context: schemathesis.HookContext, query: Any) -> Any:
    return _sensible(query)
