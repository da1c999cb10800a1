"""Our whole numbers as Kubernetes writes them."""


def cpu(millicores: int) -> str:
    """Return CPU in the canonical form: ``2`` or ``1500m``."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def memory(mib: int) -> str:
    """Return memory in the canonical form: the largest unit that leaves a whole number."""
    for unit in ("Mi", "Gi"):
        if mib % 1024:
            return f"{mib}{unit}"
        mib //= 1024
    return f"{mib}Ti"


def storage(gib: int) -> str:
    """Return storage in the canonical form."""
    return memory(gib * 1024)
