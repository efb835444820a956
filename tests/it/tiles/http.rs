//! Tiles over HTTP: addresses, errors, tags, descriptions, styles.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use mutu::{
    api::{AppState, router},
    config::ServerConfig,
    domain::{
        edit::{Change, Edit},
        feature::{Feature, Value as Stored},
    },
    planner::{IfExists, ImportRequest, Planner},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::http::{Answer, send_to};

use super::{Decoded, assert_rings, decode};

const BASE: &str = "http://mutu.test";

/// A server on a demonstration workspace of its own.
pub(super) struct Server {
    planner: Arc<Planner>,
    app: Router,
    _folder: tempfile::TempDir,
}

impl Server {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heshan.gpkg");
        Planner::seed(&path, &mut |_| ()).unwrap();
        let planner = Planner::open(&path).unwrap();
        planner.load(&mut |_| ()).unwrap();
        // A table without geometry beside the layers of the demonstration.
        let file = folder.path().join("books.geojson");
        let book = json!({"type": "Feature", "id": 1, "geometry": null, "properties": {"name": "台账"}});
        std::fs::write(&file, json!({"type": "FeatureCollection", "features": [book]}).to_string()).unwrap();
        let request = ImportRequest { file, if_exists: IfExists::Refuse, ..ImportRequest::default() };
        planner.import(&request, &mut |_| ()).unwrap();
        let planner = Arc::new(planner);
        let mut config = ServerConfig::new(path, "127.0.0.1:8080".parse().unwrap());
        config.base_url = BASE.to_owned();
        Self { app: router(AppState::new(Arc::clone(&planner), config)), planner, _folder: folder }
    }

    pub(super) fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        send_to(&self.app, Method::GET, path, headers)
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        let answer = self.ask(path, &[]);
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer
    }

    /// The tiles that a layer's limits name in a matrix: matrix, row, column.
    pub(super) fn tiles(&self, layer: &str, set: &str, matrix: u8) -> Vec<(u64, u64)> {
        let metadata = self.get(&format!("/collections/{layer}/tiles/{set}")).json();
        let limits = metadata["tileMatrixSetLimits"].as_array().unwrap();
        let limits = limits.iter().find(|l| l["tileMatrix"].as_str() == Some(&*matrix.to_string())).unwrap();
        let number = |name: &str| limits[name].as_u64().unwrap();
        (number("minTileRow")..=number("maxTileRow"))
            .flat_map(|row| (number("minTileCol")..=number("maxTileCol")).map(move |column| (row, column)))
            .collect()
    }

    fn decoded(&self, layer: &str, matrix: u8, query: &str) -> Vec<Decoded> {
        let path = |(row, column)| format!("/collections/{layer}/tiles/WebMercatorQuad/{matrix}/{row}/{column}{query}");
        let tiles = self.tiles(layer, "WebMercatorQuad", matrix);
        tiles.into_iter().flat_map(|tile| decode(&self.get(&path(tile)).body, layer)).collect()
    }
}

/// Drawn features by their ids, and how many features marks of several stand for.
fn told(features: &[Decoded]) -> (BTreeSet<u64>, u64) {
    let ids = features.iter().filter_map(|feature| feature.id).collect();
    let gathered = features.iter().filter(|feature| feature.id.is_none()).filter_map(Decoded::count).sum();
    (ids, gathered)
}

#[test]
fn every_layer_of_the_workspace_is_whole_in_its_tiles_or_says_why_it_has_none() {
    let server = Server::start();
    let collections = server.get("/collections").json();
    let mut seen = 0;
    for collection in collections["collections"].as_array().unwrap() {
        let layer = collection["id"].as_str().unwrap();
        let links: Vec<&str> =
            collection["links"].as_array().unwrap().iter().filter_map(|l| l["rel"].as_str()).collect();
        let linked = links.contains(&"http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector");
        if collection["geometry"] == "none" {
            assert!(!linked);
            for path in
                ["tiles", "tiles/WebMercatorQuad", "tiles/WebMercatorQuad/0/0/0", "tiles/WebMercatorQuad/tilejson.json"]
            {
                let answer = server.ask(&format!("/collections/{layer}/{path}"), &[]);
                assert_eq!(answer.status, StatusCode::NOT_FOUND);
                assert!(answer.json()["detail"].as_str().unwrap().contains("without geometry"));
            }
            continue;
        }
        assert!(linked, "{layer}");
        let items = server.get(&format!("/collections/{layer}/items?limit=10000")).json();
        let placed = items["features"].as_array().unwrap().iter().filter(|item| !item["geometry"].is_null()).count();
        for matrix in [0, 7, 10, 12] {
            let features = server.decoded(layer, matrix, "");
            features.iter().filter(|feature| feature.kind == 3).for_each(assert_rings);
            let (ids, gathered) = told(&features);
            assert_eq!(ids.len() as u64 + gathered, placed as u64, "{layer} at {matrix}");
        }
        seen += 1;
    }
    assert!(seen >= 8);
}

#[test]
fn filters_choose_the_features_of_tiles_as_those_of_items() {
    let server = Server::start();
    for query in
        ["filter=area_mu>30", "town=址山镇", "filter=area_mu>30 AND status LIKE '%'&town=沙坪街道", "filter=FALSE"]
    {
        let items = server.get(&format!("/collections/parcels/items?limit=10000&{query}")).json();
        let wanted: BTreeSet<u64> =
            items["features"].as_array().unwrap().iter().map(|feature| feature["id"].as_u64().unwrap()).collect();
        let (ids, gathered) = told(&server.decoded("parcels", 14, &format!("?{query}")));
        assert_eq!((ids, gathered), (wanted, 0), "{query}");
    }
    // A spatial filter, and one in CQL2 JSON.
    let near = "filter=S_INTERSECTS(geometry,BBOX(112.9,22.6,113.0,22.8))";
    let matched =
        server.get(&format!("/collections/parcels/items?limit=1&{near}")).json()["numberMatched"].as_u64().unwrap();
    let (ids, gathered) = told(&server.decoded("parcels", 9, &format!("?{near}")));
    assert!(matched > 0 && ids.len() as u64 + gathered == matched);
}

#[test]
fn an_address_that_is_no_tile_and_a_parameter_that_is_none_are_refused() {
    let server = Server::start();
    let tile = "/collections/parcels/tiles/WebMercatorQuad";
    let (row, column) = server.tiles("parcels", "WebMercatorQuad", 14)[0];
    let good = format!("{tile}/14/{row}/{column}");
    assert_eq!(server.ask(&good, &[]).status, StatusCode::OK);
    let cases = [
        (format!("{tile}/-1/0/0"), 404, "not-found"),
        (format!("{tile}/25/0/0"), 404, "not-found"),
        (format!("{tile}/31/0/0"), 404, "not-found"),
        (format!("{tile}/99999999999999999999/0/0"), 404, "not-found"),
        (format!("{tile}/3/8/0"), 404, "not-found"),
        (format!("{tile}/3/0/8"), 404, "not-found"),
        (format!("{tile}/3/-1/0"), 404, "not-found"),
        (format!("{tile}/0/2147483647/2147483647"), 404, "not-found"),
        // In the matrix but outside the layer's limits.
        (format!("{tile}/14/0/0"), 404, "not-found"),
        (format!("{tile}/z/0/0"), 400, "bad-value"),
        (format!("{tile}/3/1.5/0"), 400, "bad-value"),
        (format!("{tile}/3/0/+1"), 400, "bad-value"),
        ("/collections/parcels/tiles/WorldCRS84Quad/0/0/0".to_owned(), 404, "not-found"),
        ("/collections/nothing/tiles/WebMercatorQuad/0/0/0".to_owned(), 404, "not-found"),
        ("/collections/parcels/tiles/CGCS2000Quad/0/0/0".to_owned(), 404, "not-found"),
        ("/collections/parcels/tiles/CGCS2000Quad/tilejson.json".to_owned(), 404, "not-found"),
        ("/tileMatrixSets/nothing".to_owned(), 404, "not-found"),
        ("/styles/nothing".to_owned(), 404, "not-found"),
        ("/styles/books".to_owned(), 404, "not-found"),
        (format!("{good}?bbox=1,2,3,4"), 400, "unknown-parameter"),
        (format!("{good}?f=png"), 400, "bad-value"),
        (format!("{good}?properties=nothing"), 400, "bad-value"),
        (format!("{good}?properties=town,town"), 400, "bad-value"),
        (format!("{good}?class=area_m2"), 400, "bad-value"),
        (format!("{good}?class=nothing"), 400, "bad-value"),
        (format!("{good}?filter=nothing=1"), 400, "bad-value"),
        (format!("{good}?filter=((("), 400, "bad-value"),
        (format!("{good}?town=a&town=b"), 400, "repeated-parameter"),
        (format!("{tile}?properties=nothing"), 400, "bad-value"),
        (format!("{tile}/tilejson.json?x=1"), 400, "unknown-parameter"),
        ("/styles/parcels?lang=fr".to_owned(), 400, "bad-value"),
    ];
    for (path, status, code) in cases {
        let answer = server.ask(&path, &[]);
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str().unwrap()), (status, code), "{path}");
    }
}

#[test]
fn an_edit_shows_at_the_next_request_and_tiles_elsewhere_stay_unchanged() {
    let server = Server::start();
    let tile = |(row, column): (u64, u64)| format!("/collections/parcels/tiles/WebMercatorQuad/13/{row}/{column}");
    let before: BTreeMap<(u64, u64), (String, Vec<u8>)> = server
        .tiles("parcels", "WebMercatorQuad", 13)
        .into_iter()
        .map(|at| (at, server.get(&tile(at))))
        .map(|(at, answer)| (at, (answer.header("etag").to_owned(), answer.body)))
        .collect();
    let with = |body: &[u8]| decode(body, "parcels").into_iter().find(|feature| feature.id.is_some());
    let (home, id) = before.iter().find_map(|(at, (_, body))| Some((*at, with(body)?.id?))).unwrap();
    for (at, (tag, _)) in &before {
        assert_eq!(server.ask(&tile(*at), &[("if-none-match", tag)]).status, StatusCode::NOT_MODIFIED);
    }
    let change = |note: Option<&str>| {
        let catalog = server.planner.read();
        let state = catalog.layer("parcels").unwrap();
        let row = state.table().row_of(id as i64).unwrap();
        let held = state.table().feature(row);
        let mut feature = Feature {
            id: id as i64,
            shape: held.shape.map(|shape| shape.to_shape()),
            values: held.values.iter().map(|value| value.to_value()).collect(),
        };
        let (layer, expects) = (state.layer().id.clone(), state.table().version(row));
        let column = state.layer().schema.position("note").unwrap();
        let change = match note {
            Some(note) => {
                feature.values[column] = Stored::Text(note.to_owned());
                Change::Put { layer, feature, expects: Some(expects) }
            }
            None => Change::Delete { layer, id: id as i64, expects },
        };
        server
            .planner
            .commit(&Edit { author: "t".to_owned(), note: String::new(), changes: vec![change], lineage: vec![] })
            .unwrap();
    };
    let mut last = before;
    for note in [Some("改了"), Some("又改了"), None] {
        change(note);
        let mut now = BTreeMap::new();
        let mut changed = BTreeSet::new();
        for (at, (tag, body)) in &last {
            let answer = server.ask(&tile(*at), &[("if-none-match", tag)]);
            if answer.status == StatusCode::NOT_MODIFIED {
                now.insert(*at, (tag.clone(), body.clone()));
                continue;
            }
            assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-cache"));
            assert_ne!(&answer.body, body);
            changed.insert(*at);
            let held = decode(&answer.body, "parcels").into_iter().find(|feature| feature.id == Some(id));
            let said = held.map(|feature| feature.properties["note"].clone());
            assert_eq!(said, note.map(|note| json!(note)));
            now.insert(*at, (answer.header("etag").to_owned(), answer.body));
        }
        // The parcel's tile and at most the neighbours into whose reach it comes.
        assert!(changed.contains(&home) && changed.len() <= 4, "{changed:?}");
        assert!(last.len() > 20 && changed.len() < last.len());
        last = now;
    }
}

#[test]
fn a_tile_says_what_it_left_out_and_what_it_is() {
    let server = Server::start();
    let (row, column) = server.tiles("landuse", "WebMercatorQuad", 10)[0];
    let answer =
        server.get(&format!("/collections/landuse/tiles/WebMercatorQuad/10/{row}/{column}?properties=use_name"));
    assert_eq!(answer.header("content-type"), "application/vnd.mapbox-vector-tile");
    assert_eq!(answer.header("mutu-tile-cell"), "8");
    assert!(answer.body.len() <= 500_000);
    let features = decode(&answer.body, "landuse");
    let drawn = features.iter().filter(|feature| feature.count().is_none()).count();
    let said = answer.header("mutu-tile-features");
    assert!(said.starts_with(&format!("drawn={drawn}, gathered=")), "{said}");
    let names: BTreeSet<&str> =
        features.iter().flat_map(|feature| feature.properties.keys().map(String::as_str)).collect();
    let known = BTreeSet::from(["_count", "_same", "use_code", "use_name"]);
    assert!(names.is_subset(&known) && names.contains("use_code"), "the class is always there: {names:?}");
    // An empty tile within the limits is a right answer without bytes.
    let empty = server.get(&format!("/collections/landuse/tiles/WebMercatorQuad/10/{row}/{column}?filter=FALSE"));
    assert_eq!((empty.body.len(), empty.header("etag").is_empty()), (0, false));
}

#[test]
fn descriptions_lead_to_tiles_by_absolute_addresses_of_the_configured_base() {
    let server = Server::start();
    let list = server.get("/collections/parcels/tiles").json();
    let sets: Vec<&Value> = list["tilesets"].as_array().unwrap().iter().collect();
    assert_eq!(
        sets.iter().map(|set| set["tileMatrixSetId"].as_str().unwrap()).collect::<Vec<_>>(),
        ["WebMercatorQuad", "CGCS2000Quad"]
    );
    for set in sets {
        assert_eq!(set["dataType"], "vector");
        for link in set["links"].as_array().unwrap() {
            server.get(link["href"].as_str().unwrap().strip_prefix(BASE).unwrap());
        }
        let own = set["links"].as_array().unwrap().iter().find(|link| link["rel"] == "self").unwrap();
        let metadata = server.get(own["href"].as_str().unwrap().strip_prefix(BASE).unwrap()).json();
        let limits = &metadata["tileMatrixSetLimits"][0];
        let item = metadata["links"].as_array().unwrap().iter().find(|link| link["rel"] == "item").unwrap();
        let tile = item["href"].as_str().unwrap().strip_prefix(BASE).unwrap();
        let fill = |text: &str, name: &str, value: &Value| text.replace(name, &value.to_string().replace('"', ""));
        let tile = fill(tile, "{tileMatrix}", &limits["tileMatrix"]);
        let tile = fill(&fill(&tile, "{tileRow}", &limits["minTileRow"]), "{tileCol}", &limits["minTileCol"]);
        assert!(!server.get(&tile).body.is_empty());
        assert_eq!(metadata["generalisation"]["max_bytes"], 500_000);
    }
    let tilejson = server.get("/collections/parcels/tiles/WebMercatorQuad/tilejson.json?town=址山镇&class=town").json();
    assert_eq!(tilejson["tilejson"], "3.0.0");
    assert_eq!(
        tilejson["tiles"],
        json!([
            "http://mutu.test/collections/parcels/tiles/WebMercatorQuad/{z}/{y}/{x}?town=%E5%9D%80%E5%B1%B1%E9%95%87&class=town"
        ])
    );
    let vector = &tilejson["vector_layers"][0];
    assert_eq!(
        (&vector["id"], &vector["fields"]["town"], &vector["fields"]["area_m2"]),
        (&json!("parcels"), &json!("String"), &json!("Number"))
    );
    let extent = server.get("/collections/parcels").json()["extent"]["spatial"]["bbox"][0].clone();
    // Collections tell their extents outwards to 1e-7 degree.
    for (bound, side) in tilejson["bounds"].as_array().unwrap().iter().zip(extent.as_array().unwrap()) {
        assert!((bound.as_f64().unwrap() - side.as_f64().unwrap()).abs() < 2e-7, "{bound} and {side}");
    }
    let other = server.get("/collections/parcels/tiles/WebMercatorQuad?f=tilejson&town=址山镇&class=town").json();
    assert_eq!(other, tilejson);
}

#[test]
fn tile_matrix_sets_are_told_as_the_standard_writes_them() {
    let server = Server::start();
    let list = server.get("/tileMatrixSets").json();
    assert_eq!(list["tileMatrixSets"].as_array().unwrap().len(), 2);
    let mercator = server.get("/tileMatrixSets/WebMercatorQuad").json();
    assert_eq!(mercator["uri"], "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad");
    assert_eq!(mercator["crs"], "http://www.opengis.net/def/crs/EPSG/0/3857");
    assert_eq!(mercator["wellKnownScaleSet"], "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible");
    assert_eq!(
        mercator["tileMatrices"][0],
        json!({"id": "0", "scaleDenominator": 559_082_264.028_717, "cellSize": 156_543.033_928_041, "cornerOfOrigin": "topLeft",
               "pointOfOrigin": [-20_037_508.342_789_2, 20_037_508.342_789_2], "tileWidth": 256, "tileHeight": 256,
               "matrixWidth": 1, "matrixHeight": 1})
    );
    let degrees = server.get("/tileMatrixSets/CGCS2000Quad").json();
    assert_eq!(
        (&degrees["crs"], &degrees["orderedAxes"]),
        (&json!("http://www.opengis.net/def/crs/EPSG/0/4490"), &json!(["Lat", "Lon"]))
    );
    let first = &degrees["tileMatrices"][0];
    assert_eq!((&first["id"], &first["matrixWidth"], &first["matrixHeight"]), (&json!("1"), &json!(2), &json!(1)));
    assert_eq!(first["pointOfOrigin"], json!([90.0, -180.0]));
    assert_eq!(first["cellSize"], 0.703_125);
}

#[test]
fn styles_draw_every_layer_from_here_in_the_colours_of_the_plan() {
    let server = Server::start();
    let list = server.get("/styles").json();
    let ids: Vec<&str> = list["styles"].as_array().unwrap().iter().map(|style| style["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"_all") && ids.contains(&"landuse") && !ids.contains(&"books"));
    for id in ids {
        let answer = server.get(&format!("/styles/{id}"));
        assert_eq!(answer.header("content-type"), "application/vnd.mapbox.style+json");
        let style = answer.json();
        assert_eq!(style["version"], 8);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(!text.contains("glyphs\"") && !text.contains("sprite\""), "nothing is fetched for letters");
        assert!(text.match_indices("http").all(|(at, _)| text[at..].starts_with(BASE)), "{id} leads elsewhere");
        for (name, source) in style["sources"].as_object().unwrap() {
            let path = format!("{BASE}/collections/{name}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}");
            assert_eq!((&source["type"], &source["tiles"]), (&json!("vector"), &json!([path])));
        }
        for layer in style["layers"].as_array().unwrap().iter().filter(|layer| layer["type"] != "background") {
            assert!(style["sources"].get(layer["source"].as_str().unwrap()).is_some());
            assert_eq!(layer["source"], layer["source-layer"]);
        }
    }
    // Each land use has the colour that the schema gives it.
    let schema = server.get("/collections/landuse/schema").json();
    let codes = schema["properties"]["use_code"]["oneOf"].as_array().unwrap();
    let style = server.get("/styles/landuse?lang=en").json();
    let fill = style["layers"].as_array().unwrap().iter().find(|layer| layer["id"] == "landuse:fill").unwrap();
    let color = fill["paint"]["fill-color"].as_array().unwrap();
    let pairs: Vec<(&Value, &Value)> = color[2..color.len() - 1].chunks(2).map(|pair| (&pair[0], &pair[1])).collect();
    assert!(codes.len() > 20);
    assert_eq!(pairs, codes.iter().map(|code| (&code["const"], &code["x-color"])).collect::<Vec<_>>());
    assert_eq!(style["metadata"]["mutu:legend"][0]["classes"][0]["title"], codes[0]["x-title-en"]);
}

#[test]
fn a_thousand_requests_for_cold_tiles_at_once_are_all_answered() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (row, column) = server.tiles("landuse", "WebMercatorQuad", 9)[0];
    let path = format!("/collections/landuse/tiles/WebMercatorQuad/9/{row}/{column}");
    let bodies: BTreeSet<Vec<u8>> = runtime.block_on(async {
        let ask = |_| {
            let (app, path) = (server.app.clone(), path.clone());
            tokio::spawn(async move {
                let response = app.oneshot(Request::builder().uri(path).body(Body::empty()).unwrap()).await.unwrap();
                assert_eq!(response.status(), StatusCode::OK);
                to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
            })
        };
        let mut bodies = BTreeSet::new();
        for task in (0..1000).map(ask).collect::<Vec<_>>() {
            bodies.insert(task.await.unwrap());
        }
        bodies
    });
    assert_eq!(bodies.len(), 1);
}
