"""The command line `gpuaas`: a program that asks the REST API, and knows nothing else of it.

It is installed on people's own machines, and imports nothing of the product.
"""

from typing import Final

VERSION: Final = "0.1.0"
