"""The constraints of the OCI image-spec's JSON schemas (1.1, schema/*.json), as assertions."""

from __future__ import annotations

import re
from typing import Any

MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
)
DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
ENV = re.compile(r"[^=]+=.*", re.DOTALL)


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _string_map(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(text, str) for pair in value.items() for text in pair
    )


def _empty_map(value: Any) -> bool:
    return isinstance(value, dict) and all(item == {} for item in value.values())


def check_descriptor(value: Any) -> None:
    """content-descriptor.json."""
    assert isinstance(value, dict)
    assert {"mediaType", "size", "digest"} <= value.keys()
    assert MEDIA_TYPE.fullmatch(value["mediaType"])
    assert isinstance(value["size"], int)
    assert 0 <= value["size"] < 2**63
    assert DIGEST.fullmatch(value["digest"])
    if value["digest"].startswith("sha256:"):
        assert re.fullmatch("sha256:[a-f0-9]{64}", value["digest"])
    assert _strings(value.get("urls", []))
    assert _string_map(value.get("annotations", {}))


def check_manifest(value: Any) -> None:
    """image-manifest-schema.json."""
    assert value["schemaVersion"] == 2
    assert value.get("mediaType") == "application/vnd.oci.image.manifest.v1+json"
    check_descriptor(value["config"])
    assert isinstance(value["layers"], list)
    assert value["layers"], "at least one layer"
    for layer in value["layers"]:
        check_descriptor(layer)
    assert _string_map(value.get("annotations", {}))


def check_index(value: Any) -> None:
    """image-index-schema.json."""
    assert value["schemaVersion"] == 2
    assert value.get("mediaType") == "application/vnd.oci.image.index.v1+json"
    for entry in value["manifests"]:
        check_descriptor(entry)
        platform = entry.get("platform")
        if platform is not None:
            assert {"architecture", "os"} <= platform.keys()
            assert all(isinstance(text, str) for text in platform.values())
    assert _string_map(value.get("annotations", {}))


def check_layout(value: Any) -> None:
    """image-layout-schema.json."""
    assert value == {"imageLayoutVersion": "1.0.0"}


def check_config(value: Any) -> None:
    """config-schema.json, and config.md's rule that the history tells a step for each layer."""
    assert {"architecture", "os", "rootfs"} <= value.keys()
    assert DATE.fullmatch(value.get("created", "1970-01-01T00:00:00Z"))
    for name in ("author", "architecture", "variant", "os", "os.version"):
        assert isinstance(value.get(name, ""), str)
    rootfs = value["rootfs"]
    assert rootfs["type"] == "layers"
    assert _strings(rootfs["diff_ids"])
    assert all(DIGEST.fullmatch(digest) for digest in rootfs["diff_ids"])
    execution = value.get("config", {})
    for name in ("User", "WorkingDir", "StopSignal"):
        assert isinstance(execution.get(name, ""), str)
    for name in ("Entrypoint", "Cmd", "Env"):
        assert _strings(execution.get(name, []))
    assert all(ENV.fullmatch(entry) for entry in execution.get("Env", []))
    for name in ("ExposedPorts", "Volumes"):
        assert _empty_map(execution.get(name, {}))
    for port in execution.get("ExposedPorts", {}):
        assert re.fullmatch(r"\d+/(tcp|udp|sctp)", port)
    assert _string_map(execution.get("Labels", {}))
    history = value.get("history")
    if history is not None:
        for step in history:
            assert DATE.fullmatch(step.get("created", "1970-01-01T00:00:00Z"))
            assert isinstance(step.get("empty_layer", False), bool)
            for name in ("author", "created_by", "comment"):
                assert isinstance(step.get(name, ""), str)
        layers = [step for step in history if not step.get("empty_layer")]
        assert len(layers) == len(rootfs["diff_ids"])
