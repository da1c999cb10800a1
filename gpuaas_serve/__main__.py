"""The command line: ``serve vllm MODEL``, ``serve --agent NAME``, ``serve ls``, ``serve rm``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from gpuaas_serve import kubectl, manifests
from gpuaas_serve.engines import ENGINES
from gpuaas_serve.manifests import Server

LIST: Final = "ls"
REMOVE: Final = "rm"
GPU_RESOURCE: Final = "GPUAAS_GPU_RESOURCE"
RECORDER_IMAGE: Final = "GPUAAS_WORKSPACE_IMAGE"
FOLDER: Final = "SERVE_FOLDER"


class UsageRefused(Exception):
    """What was asked for makes no sense; the message says why."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what is asked; return the exit status: 0, 1 for a refusal, 2 for a mistake in the call."""
    parser = _parser()
    asked = parser.parse_args(argv)
    try:
        lines = _do(asked)
    except (UsageRefused, manifests.NameRefused) as error:
        parser.error(str(error))
    except kubectl.Refused as error:
        sys.stderr.write(f"serve: {error}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="serve", description="Serve a model inside the session.")
    parser.add_argument("what", nargs="?", choices=[*ENGINES, LIST, REMOVE], help="engine, or verb")
    parser.add_argument("model", nargs="?", help="the model; for rm the name")
    parser.add_argument("--name", help="what it is called inside the session")
    parser.add_argument("--slots", type=int, default=1, help="GPU slots; 0 for none (default: 1)")
    parser.add_argument("--cpu", type=int, default=2, help="cores (default: 2)")
    parser.add_argument("--memory", type=int, default=16, metavar="GIB", help="GiB (default: 16)")
    parser.add_argument("--image", default="", help="another image than the usual")
    parser.add_argument(
        "--recorder-image",
        default="",
        help="what counts ollama's tokens (default: the workspace's)",
    )
    parser.add_argument("--agent", metavar="NAME", help="hold an agent to what it may reach")
    parser.add_argument(
        "--may-reach",
        metavar="OTHER",
        action="append",
        default=[],
        help="a server or agent in the session that the agent may reach; again for more",
    )
    parser.add_argument("--dry-run", action="store_true", help="write the manifest, apply nothing")
    return parser


def _do(asked: argparse.Namespace) -> list[str]:
    if asked.what == LIST:
        return _listed()
    if asked.agent is not None:
        return _hold(asked)
    if asked.may_reach:
        raise UsageRefused("--may-reach says what an agent reaches: add --agent NAME")
    if asked.what is None or asked.model is None:
        raise UsageRefused("say an engine and a model, or --agent, or ls, or rm and a name")
    return _remove(asked.model) if asked.what == REMOVE else _serve(asked)


def _serve(asked: argparse.Namespace) -> list[str]:
    resource = os.environ.get(GPU_RESOURCE, "")
    if asked.slots < 0:
        raise UsageRefused("--slots cannot be less than 0")
    if asked.slots and not resource:
        raise UsageRefused(f"{GPU_RESOURCE} does not say which GPU is booked; or use --slots 0")
    recorder_image = asked.recorder_image or os.environ.get(RECORDER_IMAGE, "")
    if ENGINES[asked.what].behind is not None and not recorder_image:
        raise UsageRefused(
            f"{RECORDER_IMAGE} does not say what counts its tokens; or use --recorder-image"
        )
    server = Server(
        name=manifests.checked_name(asked.name or manifests.name_for(asked.what, asked.model)),
        engine=asked.what,
        model=asked.model,
        gpu_resource=resource,
        slots=asked.slots,
        cpu=asked.cpu,
        memory_gib=asked.memory,
        image=asked.image,
        recorder_image=recorder_image,
    )
    port = ENGINES[server.engine].port
    said = _applied(server.name, manifests.of_server(server), is_dry=asked.dry_run)
    return [*said, f"Inside the session it answers at http://{server.name}:{port}"]


def _hold(asked: argparse.Namespace) -> list[str]:
    """Write the policy of an agent; its pods are the user's own, and carry the agent's label."""
    if asked.what is not None:
        raise UsageRefused("--agent goes with --may-reach alone: it serves no model")
    name = manifests.checked_name(asked.agent)
    may_reach = [manifests.checked_name(each) for each in asked.may_reach]
    said = _applied(name, manifests.of_agent(name, may_reach), is_dry=asked.dry_run)
    reaches = ", ".join(may_reach) or "nothing"
    return [
        *said,
        f"Pods with the label {manifests.AGENT_LABEL}={name} reach {reaches}, and DNS.",
        "Set the label where their Deployment has its pod template.",
    ]


def _applied(name: str, objects: list[dict[str, Any]], *, is_dry: bool) -> list[str]:
    path = _file_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump_all(objects, sort_keys=False), encoding="utf-8")
    said = [f"Wrote {path}"]
    return said if is_dry else [*said, kubectl.apply(path)]


def _remove(name: str) -> list[str]:
    label = f"{manifests.SERVER_LABEL}={manifests.checked_name(name)}"
    said = kubectl.delete("deployments,services,networkpolicies", label)
    _file_of(name).unlink(missing_ok=True)
    return [said or f"nothing is called {name}"]


def _listed() -> list[str]:
    rows = [("NAME", "SERVES", "MODEL", "READY", "")]
    rows += [
        _agent(each) if each["kind"] == "NetworkPolicy" else _row(each)
        for each in kubectl.found("deployments,networkpolicies", manifests.SERVER_LABEL)
    ]
    if len(rows) == 1:
        return ["Nothing is served."]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _row(deployment: dict[str, Any]) -> tuple[str, str, str, str, str]:
    metadata, status = deployment["metadata"], deployment.get("status", {})
    labels = metadata["labels"]
    refused = [
        each.get("message", "")
        for each in status.get("conditions", [])
        if (each["type"], each["status"]) == ("ReplicaFailure", "True")
    ]
    return (
        metadata["name"],
        labels.get(manifests.ENGINE_LABEL, ""),
        metadata.get("annotations", {}).get(manifests.MODEL_ANNOTATION, ""),
        "yes" if status.get("availableReplicas", 0) else "no",
        refused[0] if refused else "",
    )


def _agent(policy: dict[str, Any]) -> tuple[str, str, str, str, str]:
    metadata = policy["metadata"]
    reaches = metadata.get("annotations", {}).get(manifests.REACH_ANNOTATION, "")
    name = metadata["labels"].get(manifests.AGENT_LABEL, "")
    return (name, "agent", f"may reach {reaches or 'nothing'}", "", "")


def _file_of(name: str) -> Path:
    return Path(os.environ.get(FOLDER) or Path.home() / "serve") / f"{name}.yaml"


if __name__ == "__main__":
    sys.exit(main())
