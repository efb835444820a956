#!/usr/bin/python3
"""Opens layers of an OGC API - Features server in QGIS, headless, and reads them as a user's desktop would.

usage: qgis_oapif.py BASE_URL < [{"layer": id, "box": [xmin, ymin, xmax, ymax] or null}, …]
Prints one JSON list: of each job provider, valid, error, crs, count, extent, fields and the features in the box.
Needs Debian's python3-qgis and qgis-providers; run with the system's python3.
"""
import json
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from qgis.core import QgsApplication, QgsFeatureRequest, QgsRectangle, QgsVectorLayer  # noqa: E402
from qgis.PyQt.QtCore import QDate, QDateTime, Qt, QVariant  # noqa: E402


def plain(value):
    """A field's value as JSON has it."""
    if value is None or (isinstance(value, QVariant) and value.isNull()):
        return None
    return value.toString(Qt.ISODate) if isinstance(value, (QDate, QDateTime)) else value


def read(base, job):
    uri = (f"url='{base}' typename='{job['layer']}' version='OGC_API_FEATURES' "
           "pagingEnabled='true' restrictToRequestBBOX='1'")
    layer = QgsVectorLayer(uri, job["layer"], "OAPIF")
    provider = layer.dataProvider()
    report = {"layer": job["layer"], "box": job["box"], "valid": layer.isValid(),
              "error": provider.error().message() if provider else "no provider"}
    if not layer.isValid():
        return report
    extent = layer.extent()
    request = QgsFeatureRequest()
    if job["box"]:
        request.setFilterRect(QgsRectangle(*job["box"]))
        request.setFlags(QgsFeatureRequest.ExactIntersect)
    names = [field.name() for field in layer.fields()]
    features = [{"geometry": json.loads(f.geometry().asJson(15)) if f.hasGeometry() else None,
                 "properties": {name: plain(f[name]) for name in names}} for f in layer.getFeatures(request)]
    return report | {"crs": layer.crs().authid(), "count": layer.featureCount(), "features": features,
                     "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()]}


QgsApplication.setPrefixPath("/usr", True)
app = QgsApplication([], False)
app.initQgis()
print(json.dumps([read(sys.argv[1], job) for job in json.load(sys.stdin)], ensure_ascii=False))
sys.stdout.flush()
os._exit(0)  # QGIS 3.22 can crash while tearing down headless
