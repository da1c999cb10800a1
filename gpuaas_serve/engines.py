"""The engines that `serve` knows: which image, which arguments, where they answer.  Data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MODELS: Final = "/models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One way to serve a model.

    ``{model}`` in ``args`` is the model, ``{slots}`` how many GPU slots it has.  ``pull`` is run in
    the container once it started, for an engine that does not fetch its model by itself.
    ``behind`` is where it listens, on the pod's own address, for one that is metered by a recorder
    before it.
    """

    image: str
    args: tuple[str, ...]
    port: int
    health: str
    metrics_port: int
    env: Mapping[str, str]
    pull: tuple[str, ...] = ()
    behind: int | None = None


ENGINES: Final[Mapping[str, Engine]] = {
    "vllm": Engine(
        image="vllm/vllm-openai:v0.11.0",
        args=("--model={model}", "--port=8000", "--tensor-parallel-size={slots}"),
        port=8000,
        health="/health",
        metrics_port=8000,
        env={"HF_HOME": MODELS},
    ),
    "ollama": Engine(
        image="ollama/ollama:0.12.6",
        args=("serve",),
        port=11434,
        health="/",
        metrics_port=11436,
        env={"OLLAMA_HOST": "127.0.0.1:11435", "OLLAMA_MODELS": f"{MODELS}/ollama"},
        pull=("ollama", "pull", "{model}"),
        behind=11435,
    ),
    "tgi": Engine(
        image="ghcr.io/huggingface/text-generation-inference:3.3.6",
        args=("--model-id={model}", "--port=8080", "--num-shard={slots}"),
        port=8080,
        health="/health",
        metrics_port=8080,
        env={"HF_HOME": MODELS, "HUGGINGFACE_HUB_CACHE": f"{MODELS}/hub"},
    ),
    "triton": Engine(
        image="nvcr.io/nvidia/tritonserver:25.09-py3",
        args=("tritonserver", f"--model-repository={MODELS}/{{model}}"),
        port=8000,
        health="/v2/health/ready",
        metrics_port=8002,
        env={},
    ),
}
