"""Does a label selector (`matchLabels`, `matchExpressions`) take these labels? Pure; used for network policies and
disruption budgets. Plain selectors of Services are `domain.owners.selects`."""

from collections.abc import Sequence

from app.domain.frozen import JsonObject


def takes(selector: JsonObject | None, labels: JsonObject | None) -> bool:
    """An empty selector takes everything, an absent one nothing; an operator that is unknown takes nothing."""
    if selector is None:
        return False
    have = labels or {}
    plain = all(have.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return plain and all(_holds(rule, have) for rule in selector.get("matchExpressions") or ())


def _holds(rule: JsonObject, labels: JsonObject) -> bool:
    key, values = str(rule.get("key")), rule.get("values") or ()
    match rule.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


def shown(selector: JsonObject | None) -> str:
    """`app=cart, tier in (a, b), !canary`, as kubectl writes it; `(all)` for the empty one."""
    parts = [f"{key}={value}" for key, value in sorted(((selector or {}).get("matchLabels") or {}).items())]
    parts += [_word(rule) for rule in (selector or {}).get("matchExpressions") or ()]
    return ", ".join(parts) if parts else "(all)"


def _word(rule: JsonObject) -> str:
    key, values = rule.get("key"), _joined(rule.get("values") or ())
    words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": f"{key}", "DoesNotExist": f"!{key}"}
    return words.get(str(rule.get("operator")), f"{key} {rule.get('operator')} ({values})")


def _joined(values: Sequence[object]) -> str:
    return ", ".join(str(v) for v in values)
