#!/usr/bin/env python3
"""Reads an OGC API - Features server with OWSLib, an independent client.

usage: owslib_features.py BASE_URL LAYER [CQL2_TEXT]
Prints one JSON object. Run with a Python that has owslib (../requirements.txt).
"""
import json
import sys

from owslib.ogcapi.features import Features

base, layer = sys.argv[1:3]
server = Features(base)
report = {
    "collections": server.feature_collections(),
    "title": server.collection(layer)["title"],
    "conforms": server.conformance()["conformsTo"],
    "openapi": server.api()["openapi"],
    "queryables": server.collection_queryables(layer)["properties"],
}
query = {"limit": 5} | ({"filter": sys.argv[3], "filter-lang": "cql2-text"} if len(sys.argv) > 3 else {})
items = server.collection_items(layer, **query)
report |= {"matched": items.get("numberMatched"), "features": items["features"]}
if items["features"]:
    first = items["features"][0]
    report["item"] = server.collection_item(layer, str(first["id"]))
    xs, ys = zip(*((p[0], p[1]) for p in first["geometry"]["coordinates"][0]), strict=True)
    boxed = server.collection_items(layer, bbox=[min(xs), min(ys), max(xs), max(ys)], limit=1000)
    report["boxed"] = [feature["id"] for feature in boxed["features"]]
print(json.dumps(report, ensure_ascii=False))
