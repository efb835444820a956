"""schemathesis: requests made of the OpenAPI document; every answer is what the document says and none is a 5xx.

It signs in with an administrator's token, so that what it is refused is refused for what was sent and not for who sends
it, and it works on servers of its own: what it changes, no other client reads.
"""
import os
import re
import time
from pathlib import Path

from harness import HERE, WORK, Failed, demand, program, python, run, serving

# All its phases: each is bounded, and so is the whole, for `make test`.
PHASES = "examples,coverage,fuzzing,stateful"
SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "60"))
EXAMPLES = 40
HOOKS = {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}


def reading(served):
    """No check fails on what reads: one layer in depth, and whatever links lead to."""
    return keeps_its_word(served, "reading", ["--include-method", "GET"], PHASES)


def writing(served):
    """No check fails on what writes: features, edits, people, what other programs did, undo and restore."""
    # Not by following links: what one writes then is gone for the next, as it should be.
    return keeps_its_word(served, "writing", ["--exclude-method", "GET"], "examples,coverage,fuzzing")


def keeps_its_word(served, name, chosen, phases):
    """What was tried; `Failed` with the summary where a check failed."""
    report = WORK / f"schemathesis-{name}.txt"
    folder = served.folder / f"schemathesis-{name}"
    folder.mkdir()
    with serving(program(), folder, WORK / f"schemathesis-{name}.log") as own:
        # The first is there to be ended (schemathesis_hooks.py).
        _, token = (run([program(), "user", "token", "--workspace", folder / "heshan.gpkg", "--role", "administrator",
                         "--name", called]).strip() for called in ("ended", "schemathesis"))
        command = [Path(python()).parent / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run",
                   f"{own.url}/api", "--url", own.url, "--header", f"Authorization: Bearer {token}", "--phases", phases,
                   "--checks", "all", *chosen, "--max-examples", EXAMPLES, "--max-time", SECONDS, "--seed", 20230101,
                   "--generation-database", "none", "--continue-on-failure", "--no-color"]
        start = time.monotonic()
        # 1 is what it ends with where a check failed; anything else is its own fault.
        said = run(command, timeout=SECONDS * 3, cwd=folder, ends=(0, 1), env=HOOKS)
        took = time.monotonic() - start
        demand(own.process.poll() is None, "the server ended with", own.process.returncode)
    report.write_text(said)
    operations = re.search(r"Tested: (\d+)", said)
    cases = re.search(r"(\d+) generated", said)
    demand(operations and cases, "it did not say what it tested:", said[-1500:])
    if "Failures:" in said:
        summary = said[said.index("= SUMMARY"):]
        raise Failed(f"{summary.strip()}\n(whole report: {report})")
    demand(int(cases[1]) > 100, "only", cases[1], "cases")
    return f"{operations[1]} operations, {cases[1]} cases in {took:.0f} s, no check failed"


CHECKS = [reading, writing]
