// Reads GeoJSON documents with @placemarkio/check-geojson, which knows RFC 7946 and says where a fault is.
//
// usage: node check_geojson.mjs NODE_MODULES < one {"url", "text"} a line
// Prints one {"url", "issues"} for each document with a fault; {"checked": n} at the end.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { check, HintError } = createRequire(`${process.argv[2]}/`)("@placemarkio/check-geojson");
let checked = 0;
for await (const line of createInterface({ input: process.stdin })) {
    const { url, text } = JSON.parse(line);
    try {
        check(text);
    } catch (error) {
        if (!(error instanceof HintError)) throw error;
        console.log(JSON.stringify({ url, issues: error.issues.slice(0, 5) }));
    }
    checked += 1;
}
console.log(JSON.stringify({ checked }));
