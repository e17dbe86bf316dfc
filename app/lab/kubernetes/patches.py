"""The patch languages of the API server: object and patch -> new object. Called by writes."""

import copy
from collections.abc import Callable
from typing import Any

from app.lab.kubernetes.status import ApiError

Object = dict[str, Any]


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396: objects are merged, null removes, all else replaces."""
    return _merged(target, patch, lambda old, new: new)


def strategic(target: Any, patch: Any) -> Any:
    """Strategic merge: as `merge`, but lists of named objects (containers, env, volumes, ...) are merged by name."""
    return _merged(target, patch, _by_name)


def _merged(target: Any, patch: Any, lists: Callable[[list[Any], list[Any]], list[Any]]) -> Any:
    if isinstance(patch, list) and isinstance(target, list):
        return lists(target, patch)
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _merged(found.get(name), value, lists)
    return found


def _by_name(old: list[Any], new: list[Any]) -> list[Any]:
    if not all(isinstance(i, dict) and "name" in i for i in (*old, *new)):
        return new
    found = {i["name"]: i for i in old}
    for item in new:
        found[item["name"]] = strategic(found.get(item["name"]), item)
    return list(found.values())


def json_patch(target: Object, operations: Any) -> Object:
    """RFC 6902 (`add`, `replace`, `remove`, `test`). Raises ApiError 422 where it does not apply."""
    found = copy.deepcopy(target)
    try:
        for one in operations:
            _operate(found, one)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {}) from error
    return found


def _operate(target: Object, one: Object) -> None:
    *path, last = [p.replace("~1", "/").replace("~0", "~") for p in one["path"].lstrip("/").split("/")]
    place: Any = target
    for name in path:
        place = place[int(name)] if isinstance(place, list) else place[name]
    key: Any = last
    if isinstance(place, list):
        key = len(place) if last == "-" else int(last)
    operation = one["op"]
    if operation == "add" and isinstance(place, list):
        place.insert(key, one["value"])
    elif operation == "add":
        place[key] = one["value"]
    elif operation == "replace":
        place[key]
        place[key] = one["value"]
    elif operation == "remove":
        del place[key]
    elif operation != "test" or place[key] != one["value"]:
        raise ValueError(operation)
