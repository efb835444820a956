"""Redocly's linter on the OpenAPI document."""
import json
import urllib.request

from harness import HERE, demand, node_modules, run

QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def lints_openapi(served):
    """No error and no warning in the API definition that the landing page leads to; a broken one is seen."""
    linter = node_modules() / ".bin" / "redocly"
    with urllib.request.urlopen(f"{served.url}/api", timeout=60) as answer:
        demand(answer.headers.get_content_type() == "application/vnd.oai.openapi+json", answer.headers.get_content_type())
        definition = json.load(answer)
    found = lint(linter, served.folder / "openapi.json", definition)
    demand(not found, f"{len(found)} problems:", *(f"\n  {rule} at {place}: {message}" for rule, place, message in found[:20]))
    operations = sum(len(path) for path in definition["paths"].values())
    del definition["paths"]["/collections"]["get"]["responses"]
    demand(lint(linter, served.folder / "broken.json", definition), "the linter let an operation without responses pass")
    return f"{len(definition['paths'])} paths, {operations} operations, no problem"


def lint(linter, file, definition):
    """[(rule, place, message)] that the linter finds, warnings too."""
    file.write_text(json.dumps(definition, ensure_ascii=False), encoding="utf-8")
    said = run([linter, "lint", file, "--config", HERE / "redocly.yaml", "--format", "json", "--max-problems", "1000"],
               env=QUIET, ends=(0, 1))
    problems = json.loads(said[said.index("{"):])["problems"]
    return [(p["ruleId"], p["location"][0].get("pointer", "?"), p["message"]) for p in problems]


CHECKS = [lints_openapi]
