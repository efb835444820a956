"""schemathesis: requests made of the OpenAPI document; every answer is what the document says and none is a 5xx."""
import os
import re
import time
from pathlib import Path

from harness import HERE, WORK, Failed, demand, python, run

# All its phases: each is bounded, and so is the whole, for `make test`.
PHASES = "examples,coverage,fuzzing,stateful"
SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "120"))
EXAMPLES = 40
HOOKS = {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}


def keeps_its_word(served):
    """No check of schemathesis fails, on one layer in depth and on whatever links lead to."""
    report = WORK / "schemathesis.txt"
    command = [Path(python()).parent / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run",
               f"{served.url}/api", "--url", served.url, "--phases", PHASES, "--checks", "all",
               "--max-examples", EXAMPLES, "--max-time", SECONDS, "--seed", 20230101, "--generation-database", "none",
               # What writes, and what asks who it is, is refused here without a sign-in: other tests hold it to its word.
               "--include-method", "GET", "--exclude-path-regex", "changes|outside|tokens|users|audit|session|history|difference",
               "--continue-on-failure", "--no-color"]
    start = time.monotonic()
    # 1 is what it ends with where a check failed; anything else is its own fault.
    said = run(command, timeout=SECONDS * 3, cwd=served.folder, ends=(0, 1), env=HOOKS)
    report.write_text(said)
    operations = re.search(r"Tested: (\d+)", said)
    cases = re.search(r"(\d+) generated", said)
    demand(operations and cases, "it did not say what it tested:", said[-1500:])
    if "Failures:" in said:
        summary = said[said.index("= SUMMARY"):]
        raise Failed(f"{summary.strip()}\n(whole report: {report})")
    demand(int(cases[1]) > 100, "only", cases[1], "cases")
    return f"{operations[1]} operations, {cases[1]} cases in {time.monotonic() - start:.0f} s, no check failed"


CHECKS = [keeps_its_word]
