"""OWSLib: collections, conformance, API definition, queryables, items with a filter and in a box, one item."""
import json

import direct
from harness import PROGRAMS, demand, python, run

LAYER = "parcels"
FILTER = "town = '沙坪街道' AND year_planned = 2024"
CORE = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core"


def reads_features(served):
    """What OWSLib reads is what GDAL reads from the file."""
    told = json.loads(run([python(), PROGRAMS / "owslib_features.py", f"{served.url}/", LAYER, FILTER]))
    stored = direct.layers(served.copy)
    demand(told["collections"] == stored, "collections are", told["collections"], "wanted", stored)
    demand(CORE in told["conforms"], "no Core among", told["conforms"])
    demand(told["openapi"].startswith("3.0."), "openapi", told["openapi"])
    wanted = direct.features(served.copy, LAYER, where=FILTER)
    whole = direct.features(served.copy, LAYER)
    columns = set(next(iter(whole.values()))["properties"])
    demand(columns <= set(told["queryables"]), "not queryable:", sorted(columns - set(told["queryables"])))
    demand(told["matched"] == len(wanted) > 5, "filter: matched", told["matched"], "wanted", len(wanted))
    page = {feature["id"]: feature for feature in told["features"]}
    demand(len(page) == 5, "limit 5 gave", len(page))
    direct.compare("page", {fid: wanted[fid] for fid in page if fid in wanted}, page)
    direct.compare("item", {told["item"]["id"]: whole[told["item"]["id"]]}, {told["item"]["id"]: told["item"]})
    box = direct.extent([told["item"]])
    inside = direct.features(served.copy, LAYER, "-spat", *(repr(v) for v in box))
    demand(set(told["boxed"]) == set(inside), "box: got", sorted(told["boxed"]), "wanted", sorted(inside))
    return f"{len(stored)} collections, {len(wanted)} filtered, {len(inside)} in a box"


CHECKS = [reads_features]
