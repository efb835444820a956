#!/usr/bin/env python3
"""How geometries lie to each other, as GEOS sees it; no code of ours.

  relations.py < {"a": [WKT, …], "b": [WKT, …]}  ->  {"valid_a": […], "valid_b": […], "related": [[…], …]}

`related` has for each geometry of `a` one text for each of `b`: the names of the relations in which the first is
to the second, separated by spaces, or nothing where one of them is not valid.
"""
import json
import sys

import shapely.wkt

NAMES = ["intersects", "disjoint", "within", "contains", "touches", "equals", "overlaps", "crosses"]

given = json.load(sys.stdin)
a, b = ([shapely.wkt.loads(text) for text in given[side]] for side in "ab")
valid_a, valid_b = ([shape.is_valid for shape in side] for side in (a, b))
related = [
    [" ".join(name for name in NAMES if getattr(x, name)(y)) if good_x and good_y else "" for y, good_y in zip(b, valid_b)]
    for x, good_x in zip(a, valid_a)
]
json.dump({"valid_a": valid_a, "valid_b": valid_b, "related": related}, sys.stdout)
