"""What schemathesis must not ask: what no OpenAPI document can say, and what would end its own right to ask."""
import schemathesis

# The token it signs in with is the second of its workspace: tests/clients/with_schemathesis.py makes both.
OWN_TOKEN = 2


@schemathesis.hook
def filter_case(context, case):
    """Whether to ask it."""
    return not (is_clamped(case) or is_minimal(case) or ends_itself(case))


def is_clamped(case):
    """A `limit` above its maximum: OGC 17-069r4 (fc-limit-response) has it taken as the maximum, not refused."""
    try:
        return int((case.query or {}).get("limit", 0)) > 10_000
    except (TypeError, ValueError):
        return False


def is_minimal(case):
    """A new feature with `Prefer: return=minimal`: the answer then has no body, which no document can make depend on it."""
    return case.method == "POST" and "return=minimal" in str((case.headers or {}).get("Prefer", ""))


def ends_itself(case):
    """The end of the token that it signs in with."""
    return case.method == "DELETE" and case.path == "/tokens/{id}" and str((case.path_parameters or {}).get("id")) == str(OWN_TOKEN)
