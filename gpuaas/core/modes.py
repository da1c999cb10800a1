"""How a session uses its GPU; chosen when booking."""

import enum


class AllocationMode(enum.StrEnum):
    """Who holds the GPU slots of a session."""

    INTERACTIVE = "interactive"
    """The workspace itself holds one slot: import torch and go."""

    INFERENCE = "inference"
    """The workspace holds none; every slot is for the containers the user deploys."""
