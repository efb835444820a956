// Decodes vector tiles with Mapbox's own decoder: the folder of its modules is the argument, each line of the input a tile
// as {"name", "bytes" in base64}; each line of the output what it holds, in tile units, rings closed.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const require = createRequire(pathToFileURL(join(process.argv[2], 'x.js')));
const { VectorTile } = await import(pathToFileURL(require.resolve('@mapbox/vector-tile')));
const pbf = await import(pathToFileURL(require.resolve('pbf')));
const Pbf = pbf.PbfReader ?? pbf.default;

for await (const line of createInterface({ input: process.stdin })) {
  const { name, bytes } = JSON.parse(line);
  const tile = new VectorTile(new Pbf(Buffer.from(bytes, 'base64')));
  const features = Object.values(tile.layers).flatMap((layer) =>
    Array.from({ length: layer.length }, (_, at) => {
      const feature = layer.feature(at);
      const paths = feature.loadGeometry().map((path) => path.map(({ x, y }) => [x, y]));
      return { id: feature.id ?? null, kind: feature.type, paths, properties: { ...feature.properties } };
    }),
  );
  console.log(JSON.stringify({ name, layers: Object.values(tile.layers).map(({ name, version, extent }) => ({ name, version, extent })), features }));
}
