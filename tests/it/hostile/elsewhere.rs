//! Attacks and faults that are no single request: which test plays each of them, and that none of the list is forgotten.

use std::{collections::BTreeSet, path::Path};

use super::{reads, writes};

/// The numbers that the issues name: those of the requests (3), those of editing, history and people (4).
const NAMED: &[&str] = &[
    "A1", "A2", "A3", "A4", "A10", "A11", "A12", "A13", "A14", "A15", "A16", "A17", "A18", "A19", "A21", "A22", "A23",
    "A24", "A25", "A29", "A30", "A31", "A32",
];

/// A number, the file and the test that plays it.
const PLAYED: &[(&str, &str, &str)] = &[
    ("A3", "tests/it/hostile/mod.rs", "what_is_no_http_ends_the_connection_and_nothing_else"),
    ("A10", "tests/it/features.rs", "a_token_belongs_to_its_question_and_is_refused_elsewhere"),
    ("A11", "tests/it/api.rs", "a_box_across_the_antimeridian_is_the_two_boxes_beside_it"),
    ("A13", "tests/it/tiles/http.rs", "a_thousand_requests_for_cold_tiles_at_once_are_all_answered"),
    ("A15", "tests/it/torture/writers.rs", "of_two_writers_on_one_parcel_exactly_one_wins_each_round"),
    (
        "A15",
        "tests/it/torture/writers.rs",
        "of_two_clients_that_change_one_parcel_exactly_one_wins_and_the_other_is_told_how_it_stands",
    ),
    (
        "A16",
        "tests/it/torture/crashes.rs",
        "a_kill_or_a_loss_of_power_at_any_step_keeps_what_was_acknowledged_and_nothing_in_part",
    ),
    ("A16", "tests/it/torture/errors.rs", "a_disk_that_fails_at_any_step_is_reported_and_the_process_goes_on"),
    ("A17", "tests/it/exports/streams.rs", "a_client_that_hangs_up_while_it_is_sent_to_frees_the_work_within_a_second"),
    ("A17", "tests/it/exports/streams.rs", "a_client_that_takes_nothing_is_given_up_and_holds_little_meanwhile"),
    ("A17", "tests/it/hostile/mod.rs", "a_client_that_never_ends_its_request_is_left"),
    ("A17", "tests/it/people/veil.rs", "a_body_that_does_not_come_to_its_end_is_not_waited_for_on_any_route"),
    ("A18", "tests/it/hostile/mod.rs", "a_body_where_none_belongs_is_refused_unread"),
    ("A19", "tests/it/people/doors.rs", "pages_of_other_sites_change_nothing"),
    ("A19", "tests/it/people/doors.rs", "origins_that_may_call_never_bring_a_cookie_along"),
    ("A19", "tests/it/hostile/writes.rs", "nobody_is_allowed_in_from_elsewhere_by_a_header_of_their_own"),
    // Tokens of ours and where they are told; signed tokens of others (JWT) are played beside OpenID Connect, in people.
    ("A21", "tests/it/people/doors.rs", "tokens_that_are_wrong_ended_or_of_somebody_kept_out_are_refused"),
    ("A21", "tests/it/people/secrets.rs", "the_record_knows_who_did_what_and_no_secret"),
    ("A22", "tests/it/people/sight.rs", "a_layer_that_one_may_not_read_is_as_one_that_is_not_there_on_every_route"),
    ("A22", "tests/it/people/sight.rs", "rows_that_one_may_not_see_are_in_no_page_no_file_no_tile_and_no_figure"),
    ("A22", "tests/it/people/sight.rs", "tiles_hold_only_what_one_may_see_whoever_asked_before"),
    ("A22", "tests/it/people/veil.rs", "the_way_back_tells_nothing_of_edits_and_features_that_one_may_not_see"),
    ("A23", "tests/it/hostile/elsewhere.rs", "an_address_is_no_file_and_nobody_is_called"),
    ("A25", "tests/it/hostile/mod.rs", "links_name_the_configured_server_whoever_the_request_says_it_is"),
    ("A25", "tests/it/people/doors.rs", "a_name_that_points_here_from_elsewhere_reads_nothing"),
    ("A29", "src/planner/past/moment.rs", "a_clock_that_steps_back_hides_and_reorders_nothing"),
    ("A30", "tests/it/hostile/mod.rs", "what_is_no_http_ends_the_connection_and_nothing_else"),
    ("A31", "tests/it/people/secrets.rs", "the_file_holds_no_secret_and_belongs_to_its_owner"),
    ("A31", "tests/it/people/secrets.rs", "a_file_that_others_could_read_is_closed_to_them_and_said_so"),
    ("A31", "tests/it/people/program.rs", "a_workspace_that_everybody_can_read_is_told_of_where_people_have_rights"),
    ("A32", "tests/it/store/upgrade.rs", "opening_an_old_workspace_to_write_keeps_a_copy_and_takes_everything_over"),
    ("A32", "tests/it/store/faults.rs", "a_workspace_of_a_newer_program_is_refused_and_left_as_it_is"),
    ("A32", "tests/it/torture/upgrade.rs", "an_upgrade_cut_off_at_any_step_leaves_the_old_or_the_new_workspace_whole"),
];

#[test]
fn every_attack_that_the_issues_name_has_a_case_and_every_case_a_number_of_the_list() {
    let played = PLAYED.iter().map(|(id, ..)| *id);
    let written = writes::cases().into_iter().map(|case| case.id);
    let covered: BTreeSet<&str> = reads().into_iter().map(|(id, ..)| id).chain(written).chain(played).collect();
    let named: BTreeSet<&str> = NAMED.iter().copied().collect();
    assert_eq!(covered, named);
}

#[test]
fn every_test_that_plays_an_attack_is_there_and_is_a_test() {
    for (id, file, name) in PLAYED {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let at = lines.iter().position(|line| line.starts_with(&format!("fn {name}(")));
        let at = at.unwrap_or_else(|| panic!("{id}: {file} has no test {name}"));
        let marks: Vec<&&str> = lines[..at].iter().rev().take_while(|line| line.starts_with("#[")).collect();
        assert!(marks.iter().any(|mark| ***mark == *"#[test]"), "{id}: {name} in {file} is no test");
        assert!(!marks.iter().any(|mark| mark.contains("ignore")), "{id}: {name} in {file} is not run");
    }
}

#[test]
fn an_address_is_no_file_and_nobody_is_called() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("w.gpkg");
    for file in [
        format!("http://{address}/parcels.geojson"),
        format!("/vsicurl/http://{address}/parcels.geojson"),
        format!("/vsizip//vsicurl/http://{address}/parcels.zip"),
        format!("file://{address}/etc/parcels.gpkg"),
        format!("\\\\{address}\\share\\parcels.shp"),
        "http://169.254.169.254/latest/meta-data/x.geojson".to_owned(),
    ] {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_mutu"))
            .args(["import", &file, "--layer", "x", "-w", workspace.to_str().unwrap()])
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(40), "{file}: {}", String::from_utf8_lossy(&done.stderr));
        let called = listener.accept().map(|(_, from)| from);
        assert_eq!(called.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "{file}: somebody was called");
    }
    // No parameter of any route is an address to fetch from.
    for path in ["items", "export", "statistics", "tiles/WebMercatorQuad/tilejson.json"] {
        let answer = crate::http::get(&format!("/collections/parcels/{path}?url=http://{address}/"));
        assert_eq!(answer.status.as_u16(), 400, "{path}: {}", answer.text());
    }
    assert!(listener.accept().is_err());
}
