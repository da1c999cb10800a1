"""`python -m gpuaas_serve`, with a kubectl that notes what it is told."""

import json
from pathlib import Path

import pytest
import yaml

from gpuaas_serve import __main__ as command
from tests.make import SLICE

DEPLOYMENTS = {
    "items": [
        {
            "kind": "Deployment",
            "metadata": {
                "name": "llama",
                "labels": {"gpuaas.io/server": "llama", "gpuaas.io/engine": "vllm"},
                "annotations": {"gpuaas.io/model": "meta/Llama"},
            },
            "status": {"availableReplicas": 1},
        },
        {
            "kind": "Deployment",
            "metadata": {
                "name": "embedder",
                "labels": {"gpuaas.io/server": "embedder", "gpuaas.io/engine": "tgi"},
            },
            "status": {
                "conditions": [
                    {
                        "type": "ReplicaFailure",
                        "status": "True",
                        "message": "exceeded quota: gpuaas",
                    }
                ]
            },
        },
        {
            "kind": "NetworkPolicy",
            "metadata": {
                "name": "agent-retriever",
                "labels": {"gpuaas.io/server": "retriever", "gpuaas.io/agent": "retriever"},
                "annotations": {"gpuaas.io/may-reach": "vector-db"},
            },
        },
    ]
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where manifests are written; kubectl notes its arguments beside them."""
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps(DEPLOYMENTS))
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n'
        f'case "$*" in *broken*) echo "it is broken" >&2; exit 1;; get*) cat {answers};; '
        "delete*nobody*) ;; *) echo done;; esac\n"
    )
    kubectl.chmod(0o755)
    monkeypatch.setenv("SERVE_KUBECTL", str(kubectl))
    monkeypatch.setenv("SERVE_FOLDER", str(tmp_path / "serve"))
    monkeypatch.setenv("GPUAAS_GPU_RESOURCE", SLICE)
    monkeypatch.setenv("GPUAAS_WORKSPACE_IMAGE", "registry/workspace:1")
    return tmp_path


def test_a_model_server_is_written_and_applied(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["vllm", "meta/Llama-3", "--name", "llama"]) == 0

    path = folder / "serve" / "llama.yaml"
    assert [each["kind"] for each in yaml.safe_load_all(path.read_text())] == [
        "Deployment",
        "Service",
    ]
    assert (folder / "told").read_text() == f"apply -f {path}\n"
    assert "http://llama:8000" in capsys.readouterr().out


def test_a_dry_run_applies_nothing(folder: Path) -> None:
    assert command.main(["ollama", "qwen3:8b", "--dry-run"]) == 0

    assert (folder / "serve" / "ollama-qwen3-8b.yaml").exists()
    assert not (folder / "told").exists()


def test_what_is_served_is_listed_with_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["ls"]) == 0

    head, llama, embedder, agent = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "SERVES", "MODEL", "READY"]
    assert llama.split() == ["llama", "vllm", "meta/Llama", "yes"]
    assert embedder.split(maxsplit=3) == ["embedder", "tgi", "no", "exceeded quota: gpuaas"]
    assert agent.split() == ["retriever", "agent", "may", "reach", "vector-db"]


def test_nothing_is_served(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "answers.json").write_text('{"items": []}')

    assert command.main(["ls"]) == 0
    assert capsys.readouterr().out == "Nothing is served.\n"


def test_removing_takes_the_file_along(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["vllm", "meta/Llama-3", "--name", "llama"])

    assert command.main(["rm", "llama"]) == 0
    assert command.main(["rm", "nobody"]) == 0

    assert not (folder / "serve" / "llama.yaml").exists()
    assert "-l gpuaas.io/server=llama" in (folder / "told").read_text()
    assert "nothing is called nobody" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ([], "say an engine and a model"),
        (["vllm"], "say an engine and a model"),
        (["vllm", "m", "--slots", "-1"], "cannot be less than 0"),
        (["vllm", "m", "--name", "Big"], "is no name"),
        (["whisper", "m"], "invalid choice"),
    ],
)
def test_a_mistake_in_the_call_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], asked: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(asked)

    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
    assert not (folder / "told").exists()


def test_outside_a_session_nobody_knows_which_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GPUAAS_GPU_RESOURCE")

    with pytest.raises(SystemExit):
        command.main(["vllm", "m"])
    assert "--slots 0" in capsys.readouterr().err
    assert command.main(["ollama", "m", "--slots", "0"]) == 0


def test_what_the_cluster_refuses_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["rm", "broken"]) == 1
    assert capsys.readouterr().err == "serve: it is broken\n"

    monkeypatch.setenv("SERVE_KUBECTL", "/nowhere/kubectl")
    assert command.main(["ls"]) == 1
    assert "cannot be run" in capsys.readouterr().err


def test_an_agent_is_held_to_what_it_may_reach(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--agent", "retriever", "--may-reach", "vector-db", "--may-reach", "llama"]

    assert command.main(asked) == 0

    said = capsys.readouterr().out
    assert "gpuaas.io/agent=retriever reach vector-db, llama, and DNS" in said
    (policy,) = yaml.safe_load_all((folder / "serve" / "retriever.yaml").read_text())
    assert policy["spec"]["policyTypes"] == ["Egress"]
    assert policy["spec"]["podSelector"] == {"matchLabels": {"gpuaas.io/agent": "retriever"}}
    (rule,) = policy["spec"]["egress"]
    peers = [next(iter(each["podSelector"]["matchLabels"].items())) for each in rule["to"]]
    assert set(peers) == {
        (label, other)
        for label in ("gpuaas.io/server", "gpuaas.io/agent", "app.kubernetes.io/name", "app")
        for other in ("vector-db", "llama")
    }
    assert "apply -f" in (folder / "told").read_text()


def test_an_agent_that_may_reach_nothing_reaches_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--agent", "hermit"]) == 0

    assert "reach nothing, and DNS" in capsys.readouterr().out
    (policy,) = yaml.safe_load_all((folder / "serve" / "hermit.yaml").read_text())
    assert policy["spec"]["egress"] == []


@pytest.mark.parametrize(
    "asked",
    [
        ["--may-reach", "vector-db"],
        ["vllm", "some/model", "--agent", "retriever"],
        ["--agent", "No Name"],
        ["--agent", "retriever", "--may-reach", "0.0.0.0/0"],
    ],
)
def test_an_agent_needs_a_name_and_names(asked: list[str], folder: Path) -> None:
    with pytest.raises(SystemExit) as refused:
        command.main(asked)

    assert refused.value.code == 2
    assert not (folder / "told").exists()
