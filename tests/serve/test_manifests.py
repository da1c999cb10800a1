"""`gpuaas_serve.manifests`: what one line inside a workspace becomes."""

import dataclasses
from typing import Any

import pytest

from gpuaas_serve import manifests
from gpuaas_serve.engines import ENGINES
from gpuaas_serve.manifests import NameRefused, Server
from tests.make import SLICE

SERVER = Server(
    name="llama",
    engine="vllm",
    model="meta-llama/Llama-3-8B",
    gpu_resource=SLICE,
    recorder_image="registry/workspace:1",
)


def parts(server: Server) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the Deployment, its container, and the Service."""
    deployment, service = manifests.of_server(server)
    container, *_ = deployment["spec"]["template"]["spec"]["containers"]
    return deployment, container, service


@pytest.mark.parametrize("engine", ENGINES)
def test_each_engine_gets_its_model_its_slot_and_a_service(engine: str) -> None:
    deployment, container, service = parts(dataclasses.replace(SERVER, engine=engine))

    assert SERVER.model in str(container)
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "16Gi", SLICE: "1"}
    assert container["image"] == ENGINES[engine].image
    assert service["spec"]["ports"][0]["port"] == ENGINES[engine].port
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert {"name": "models", "mountPath": "/models"} in container["volumeMounts"]


@pytest.mark.parametrize(
    ("engine", "port"), [("vllm", "8000"), ("tgi", "8080"), ("triton", "8002"), ("ollama", "11436")]
)
def test_metrics_are_found_by_label_and_annotation(engine: str, port: str | None) -> None:
    deployment, _, _ = parts(dataclasses.replace(SERVER, engine=engine))
    metadata = deployment["spec"]["template"]["metadata"]

    assert metadata["labels"]["gpuaas.io/engine"] == engine
    assert metadata["annotations"]["prometheus.io/port"] == port
    assert metadata["annotations"]["prometheus.io/scrape"] == "true"


def test_slots_are_what_the_model_is_spread_over() -> None:
    _, container, _ = parts(dataclasses.replace(SERVER, slots=2))

    assert container["resources"]["requests"][SLICE] == "2"
    assert "--tensor-parallel-size=2" in container["args"]


def test_without_a_slot_it_sees_no_gpu() -> None:
    _, container, _ = parts(dataclasses.replace(SERVER, engine="ollama", slots=0))

    assert SLICE not in container["resources"]["limits"]
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"} in container["env"]


def test_ollama_fetches_its_model_when_it_is_up() -> None:
    _, container, _ = parts(dataclasses.replace(SERVER, engine="ollama", model="qwen3:8b"))

    assert container["lifecycle"]["postStart"]["exec"]["command"] == ["ollama", "pull", "qwen3:8b"]


def test_ollama_is_reached_through_its_recorder_alone() -> None:
    deployment, container, service = parts(dataclasses.replace(SERVER, engine="ollama"))
    _, recorder = deployment["spec"]["template"]["spec"]["containers"]

    assert {"name": "OLLAMA_HOST", "value": "127.0.0.1:11435"} in container["env"]
    assert recorder["image"] == "registry/workspace:1"
    assert recorder["command"][3:] == [
        "--listen=0.0.0.0:11434",
        "--to=127.0.0.1:11435",
        "--metrics=0.0.0.0:11436",
    ]
    assert (
        service["spec"]["ports"][0]["targetPort"] == container["readinessProbe"]["httpGet"]["port"]
    )
    assert SLICE not in recorder["resources"]["limits"]


def test_who_counts_by_themselves_have_nothing_beside_them() -> None:
    deployment, _, _ = parts(SERVER)

    assert len(deployment["spec"]["template"]["spec"]["containers"]) == 1


def test_what_serves_has_no_way_to_the_api_server() -> None:
    deployment, _, _ = parts(SERVER)

    assert not deployment["spec"]["template"]["spec"]["automountServiceAccountToken"]


@pytest.mark.parametrize("name", ["", "Big", "-a", "a-", "1a", "a_b", "a" * 51, "a.b"])
def test_what_cannot_name_a_service_is_refused(name: str) -> None:
    with pytest.raises(NameRefused, match="is no name"):
        manifests.checked_name(name)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "vllm-llama-3-1-8b-instruct"),
        ("qwen3:8b", "vllm-qwen3-8b"),
        ("x/" + "y" * 80, "vllm-" + "y" * 45),
    ],
)
def test_a_server_is_called_after_its_model(model: str, name: str) -> None:
    assert manifests.checked_name(manifests.name_for("vllm", model)) == name
