"""Checks objects strictly against the published schemas of Kubernetes' versions.

    python test/kubernetes/schema/validate.py 1.31 <objects.json

Reads a list of objects as JSON. Prints, as JSON, what was found in each version from the one
named on: the kinds that it has no schema of, and what is wrong with an object.
"""

import json
import sys

from kubernetes_validate import SchemaNotFoundError, ValidationError, utils


def versions_from(first: str) -> list[str]:
    """The versions there are schemas of, each once, from one on."""
    known = sorted({utils.major_minor(one) for one in utils.all_versions()}, key=number)
    return [one for one in known if number(one) >= number(first)]


def number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def check(objects: list[dict], version: str) -> dict:
    unknown, problems = set(), []
    for one in objects:
        try:
            utils.validate(one, version, strict=True)
        except SchemaNotFoundError:
            unknown.add(f"{one['apiVersion']} {one['kind']}")
        except ValidationError as error:
            place = ".".join(str(part) for part in error.absolute_path)
            name = one["metadata"]["name"]
            problems.append(f"{one['kind']} {name}: {place}: {error.message[:300]}")
    return {"version": version, "unknown": sorted(unknown), "problems": problems}


def main() -> None:
    objects = json.load(sys.stdin)
    found = [check(objects, version) for version in versions_from(sys.argv[1])]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
