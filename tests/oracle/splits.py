#!/usr/bin/env python3
"""What GEOS says of surfaces that were divided; no code of ours.

  splits.py < [{"whole": WKT, "line": WKT, "parts": [WKT, …], "joined": WKT}, …]  ->  [{…}, …]

Each answer: `wanted`, the number of parts that GEOS makes; `valid`, whether all parts and the joined are valid; `apart_m2`, by how
much the parts together differ from the whole; `common_m2`, how much two parts share; `joined_m2`, by how much the joined
differs from the whole. Coordinates are metres in a plane.
"""
import itertools
import json
import sys

import shapely.wkt
from shapely.ops import split, unary_union

answers = []
for case in json.load(sys.stdin):
    whole, line, joined = (shapely.wkt.loads(case[name]) for name in ("whole", "line", "joined"))
    parts = [shapely.wkt.loads(text) for text in case["parts"]]
    answers.append({
        "wanted": len(split(whole, line).geoms),
        "valid": all(shape.is_valid for shape in [*parts, joined]),
        "apart_m2": unary_union(parts).symmetric_difference(whole).area,
        "common_m2": sum(a.intersection(b).area for a, b in itertools.combinations(parts, 2)),
        "joined_m2": joined.symmetric_difference(whole).area,
    })
json.dump(answers, sys.stdout)
