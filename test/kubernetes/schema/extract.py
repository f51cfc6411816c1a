"""Cuts what the stand-in serves out of Kubernetes' published OpenAPI definitions.

    pip download --no-deps kubernetes-validate==1.37.0
    python test/kubernetes/schema/extract.py kubernetes_validate-1.37.0-py3-none-any.whl

The wheel (Apache-2.0) carries the definitions of each Kubernetes version as JSON schemas.
Descriptions are cut to their first sentence; one definition a line.
"""

import json
import re
import sys
import zipfile
from pathlib import Path

VERSION = "1.34"
CORE, META = "io.k8s.api.core.v1.", "io.k8s.apimachinery.pkg.apis.meta.v1."
ROOTS = [
    *(
        CORE + kind
        for kind in [
            "ConfigMap",
            "Event",
            "Namespace",
            "Node",
            "PersistentVolumeClaim",
            "Pod",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ]
    ),
    *(f"io.k8s.api.apps.v1.{kind}" for kind in ("Deployment", "StatefulSet")),
    "io.k8s.api.batch.v1.Job",
    *(
        f"io.k8s.api.authentication.v1.{kind}"
        for kind in ("TokenReview", "TokenRequest")
    ),
    *(
        f"io.k8s.api.authorization.v1.{kind}"
        for kind in (
            "SubjectAccessReview",
            "SelfSubjectAccessReview",
            "LocalSubjectAccessReview",
        )
    ),
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.api.coordination.v1.Lease",
    "io.k8s.api.networking.v1.NetworkPolicy",
    *(f"io.k8s.api.policy.v1.{kind}" for kind in ("Eviction", "PodDisruptionBudget")),
    *(
        f"io.k8s.api.rbac.v1.{kind}"
        for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    ),
    "io.k8s.api.scheduling.v1.PriorityClass",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
]
SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "type": "string",
        "format": "quantity",
    },
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "type": "string",
        "format": "int-or-string",
    },
}


def clean(node):
    """Without what the JSON-schema form added, and with short descriptions."""
    if isinstance(node, list):
        return [clean(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {}
    for key, value in node.items():
        if key == "description" and isinstance(value, str):
            sentence = re.split(r"(?<=[.:]) |\n", value, maxsplit=1)[0]
            result[key] = sentence[:160]
        elif key == "type" and isinstance(value, list):
            result[key] = next(name for name in value if name != "null")
        elif key == "$ref":
            result[key] = value.removeprefix("#/$defs/")
        elif key == "enum" and isinstance(value, list):
            result[key] = [item for item in value if item is not None]
        elif key == "properties":
            result[key] = {name: clean(item) for name, item in value.items()}
        else:
            result[key] = clean(value)
    return result


def references(node):
    """Names of the definitions that a cleaned node refers to."""
    if isinstance(node, list):
        return [name for item in node for name in references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [name for value in node.values() for name in references(value)]


def main(wheel: str) -> None:
    path = f"kubernetes_validate/kubernetes-json-schema/v{VERSION}.0-local/_definitions.json"
    with zipfile.ZipFile(wheel) as archive:
        definitions = json.loads(archive.read(path))["$defs"]
    chosen: dict[str, dict] = {}
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name in chosen:
            continue
        chosen[name] = SPECIAL.get(name) or clean(definitions[name])
        waiting.extend(references(chosen[name]))
    target = Path(__file__).parent / f"kubernetes-{VERSION}.jsonl"
    lines = (
        json.dumps({"name": name, "schema": chosen[name]}) for name in sorted(chosen)
    )
    target.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
