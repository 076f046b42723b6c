//! Every command, flag and value that `--help` shows is covered by a test, which is named here. A new one without an entry, an
//! entry of one that is gone, and the name of a test that is not there fail.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use provision_tests::run::binary;

/// What `--help` shows, `CLOUD` standing for each of them, and the test.
const COVERED: &[(&str, &str)] = &[
    ("--color", "colour_is_for_terminals_and_for_who_asks"),
    ("--color always", "colour_is_for_terminals_and_for_who_asks"),
    ("--color auto", "colour_is_for_terminals_and_for_who_asks"),
    ("--color never", "colour_is_for_terminals_and_for_who_asks"),
    ("--help", "every_command_flag_and_value_has_a_test"),
    ("--json", "json_of_plan_drift_and_output_is_one_document"),
    ("--no-color", "colour_is_for_terminals_and_for_who_asks"),
    ("--quiet", "quiet_prints_results_and_errors_only"),
    ("--sandbox", "main_job_runs_without_a_network_an_account_or_an_emulator"),
    ("--timeout", "time_limit_stops_like_a_signal_and_the_rerun_finishes"),
    ("--trace", "trace_has_each_request_and_no_secret"),
    ("--verbose", "verbose_shows_what_is_in_sync_too"),
    ("--version", "usage_exits_with_64"),
    ("CLOUD", "plan_on_all_three_clouds_looks_like_one_tool"),
    ("CLOUD apply", "apply_of_each_example_ends_with_its_settings_and_a_second_one_writes_nothing"),
    ("CLOUD apply --orphans", "renaming_the_queue_moves_the_notification_and_leaves_an_orphan"),
    ("CLOUD apply --yes", "without_a_terminal_the_flag_to_add_is_named"),
    ("CLOUD destroy", "destroy_asks_too"),
    ("CLOUD destroy --delete-data", "destroy_refuses_content_with_counts_and_deletes_it_on_request"),
    ("CLOUD destroy --orphans", "destroy_deletes_orphans_on_request_only"),
    ("CLOUD destroy --yes", "without_a_terminal_the_flag_to_add_is_named"),
    ("CLOUD drift", "drift_of_each_facet_is_named_and_repaired"),
    ("CLOUD drift --format", "drift_report_formats"),
    ("CLOUD drift --format junit", "drift_report_formats"),
    ("CLOUD drift --format markdown", "drift_report_formats"),
    ("CLOUD drift --format sarif", "drift_report_formats"),
    ("CLOUD drift --format json", "reports_hold_all_that_was_found"),
    ("CLOUD drift --format html", "page_says_how_each_part_is_and_since_when"),
    ("CLOUD drift --format text", "drift_report_formats"),
    ("CLOUD drift --report", "reports_hold_all_that_was_found"),
    ("CLOUD output", "output_is_what_the_server_reads"),
    ("CLOUD output --format", "output_in_every_format"),
    ("CLOUD output --format dotenv", "output_in_every_format"),
    ("CLOUD output --format env", "output_in_every_format"),
    ("CLOUD output --format json", "output_in_every_format"),
    ("CLOUD output --format cr", "operator_s_resource_selects_what_is_in_secrets"),
    ("CLOUD output --format cr-v1", "every_format_gives_its_reader_exactly_the_bytes"),
    ("CLOUD output --format docker", "every_format_gives_its_reader_exactly_the_bytes"),
    ("CLOUD output --format github", "github_s_files_are_added_to_and_secrets_masked_first"),
    ("CLOUD output --format gitlab", "every_format_gives_its_reader_exactly_the_bytes"),
    ("CLOUD output --format helm", "every_format_gives_its_reader_exactly_the_bytes"),
    ("CLOUD output --format k8s-secret", "every_format_gives_its_reader_exactly_the_bytes"),
    ("CLOUD output --format tf-import", "imports_of_aws_are_as_terraform_writes_them"),
    ("CLOUD output --format tfvars", "no_secret_is_anywhere_that_nobody_asked_for"),
    ("CLOUD output --shard", "settings_of_many_plan_files_are_in_one_text"),
    ("CLOUD output --no-secrets", "output_into_a_file_that_nobody_else_reads"),
    ("CLOUD output --out", "output_into_a_file_that_nobody_else_reads"),
    ("CLOUD output --reveal", "trace_has_each_request_and_no_secret"),
    ("CLOUD plan", "plan_and_drift_never_write"),
    ("CLOUD plan --delete-data", "saved_destroy_does_what_was_shown"),
    ("CLOUD plan --destroy", "saved_destroy_does_what_was_shown"),
    ("CLOUD plan --detailed-exitcode", "pending_of_each_setting_is_no_drift_and_shows_its_line"),
    ("CLOUD plan --orphans", "plan_says_what_orphans_would_be_deleted"),
    ("CLOUD plan --format", "reports_of_a_plan_and_of_a_saved_one_are_the_same"),
    ("CLOUD plan --format gitlab", "reports_of_a_plan_and_of_a_saved_one_are_the_same"),
    ("CLOUD plan --format json", "reports_of_a_plan_and_of_a_saved_one_are_the_same"),
    ("CLOUD plan --format markdown", "reports_of_a_plan_and_of_a_saved_one_are_the_same"),
    ("CLOUD plan --format text", "reports_of_a_plan_and_of_a_saved_one_are_the_same"),
    ("CLOUD plan --report", "reports_of_a_plan_and_of_a_saved_one_are_the_same"),
    ("CLOUD plan --out", "saved_change_set_is_applied_without_its_plan_file"),
    ("CLOUD verify", "verify_passes_and_leaves_nothing"),
    ("CLOUD verify --format", "verify_report_formats"),
    ("CLOUD verify --format junit", "verify_report_formats"),
    ("CLOUD verify --format text", "verify_report_formats"),
    ("CLOUD verify --origin", "verify_asks_as_a_page_of_another_origin"),
    ("CLOUD verify --prefix", "verify_puts_the_probe_where_it_is_told_to"),
    ("CLOUD verify --report", "verify_report_formats"),
    ("CLOUD verify --read-only", "verify_that_only_reads_writes_nothing"),
    ("CLOUD verify --strict", "verify_is_strict_about_what_is_not_proven"),
    ("CLOUD verify --shard", "many_are_proven_and_what_fails_is_a_row_of_its_own"),
    ("verify", "many_are_proven_and_what_fails_is_a_row_of_its_own"),
    ("verify --format", "many_are_proven_and_what_fails_is_a_row_of_its_own"),
    ("verify --format junit", "many_are_proven_and_what_fails_is_a_row_of_its_own"),
    ("verify --format text", "many_are_proven_and_what_fails_is_a_row_of_its_own"),
    ("verify --origin", "verify_asks_as_a_page_of_another_origin"),
    ("verify --prefix", "verify_puts_the_probe_where_it_is_told_to"),
    ("verify --report", "verify_report_formats"),
    ("verify --read-only", "many_are_proven_and_what_fails_is_a_row_of_its_own"),
    ("verify --shard", "many_are_proven_and_what_fails_is_a_row_of_its_own"),
    ("verify --strict", "many_are_proven_and_what_fails_is_a_row_of_its_own"),
    ("verify --wait", "verify_names_the_hop_that_is_broken_and_the_command_that_mends_it"),
    ("CLOUD verify --wait", "verify_names_the_hop_that_is_broken_and_the_command_that_mends_it"),
    ("CLOUD permissions", "permissions_are_what_each_command_needs_and_no_more"),
    ("CLOUD permissions --for", "permissions_are_what_each_command_needs_and_no_more"),
    ("CLOUD permissions --for apply", "permissions_are_what_each_command_needs_and_no_more"),
    ("CLOUD permissions --for destroy", "permissions_are_what_each_command_needs_and_no_more"),
    ("CLOUD permissions --for drift", "permissions_are_what_each_command_needs_and_no_more"),
    ("CLOUD permissions --for plan", "permissions_are_what_each_command_needs_and_no_more"),
    ("CLOUD permissions --for server", "permissions_send_nothing_and_are_a_document_for_each_tool"),
    ("CLOUD permissions --for verify", "permissions_send_nothing_and_are_a_document_for_each_tool"),
    ("CLOUD permissions --format", "permissions_send_nothing_and_are_a_document_for_each_tool"),
    ("CLOUD permissions --format cloud", "permissions_send_nothing_and_are_a_document_for_each_tool"),
    ("CLOUD permissions --format terraform", "permissions_send_nothing_and_are_a_document_for_each_tool"),
    ("CLOUD permissions --trust", "permissions_send_nothing_and_are_a_document_for_each_tool"),
    ("apply", "every_section_is_planned_applied_compared_and_destroyed_by_one_command"),
    ("apply --out", "apply_of_all_sections_makes_the_app_too"),
    ("apply --reveal", "apply_of_all_sections_makes_the_app_too"),
    ("apply --orphans", "flags_of_a_section_are_those_of_all"),
    ("apply --yes", "every_section_is_planned_applied_compared_and_destroyed_by_one_command"),
    ("destroy", "destroying_all_needs_the_deployments_name"),
    ("destroy --all", "destroying_all_needs_the_deployments_name"),
    ("destroy --delete-data", "destroying_all_needs_the_deployments_name"),
    ("destroy --deployment", "destroying_all_needs_the_deployments_name"),
    ("destroy --orphans", "flags_of_a_section_are_those_of_all"),
    ("drift", "every_section_is_planned_applied_compared_and_destroyed_by_one_command"),
    ("drift --format", "reports_of_all_sections_are_one"),
    ("drift --format html", "page_says_how_each_part_is_and_since_when"),
    ("drift --format json", "reports_of_all_sections_are_one"),
    ("drift --format junit", "reports_of_all_sections_are_one"),
    ("drift --format markdown", "reports_of_all_sections_are_one"),
    ("drift --format sarif", "reports_of_all_sections_are_one"),
    ("drift --format text", "reports_of_all_sections_are_one"),
    ("drift --report", "reports_of_all_sections_are_one"),
    ("output", "settings_of_all_sections_are_one_list"),
    ("output --format", "every_format_gives_its_reader_exactly_the_bytes"),
    ("output --format cr", "operator_s_resource_selects_what_is_in_secrets"),
    ("output --format cr-v1", "every_format_gives_its_reader_exactly_the_bytes"),
    ("output --format docker", "every_format_gives_its_reader_exactly_the_bytes"),
    ("output --format dotenv", "every_format_gives_its_reader_exactly_the_bytes"),
    ("output --format env", "every_format_gives_its_reader_exactly_the_bytes"),
    ("output --format github", "github_s_files_are_added_to_and_secrets_masked_first"),
    ("output --format gitlab", "every_format_gives_its_reader_exactly_the_bytes"),
    ("output --format helm", "every_format_gives_its_reader_exactly_the_bytes"),
    ("output --format json", "no_secret_is_anywhere_that_nobody_asked_for"),
    ("output --format k8s-secret", "every_format_gives_its_reader_exactly_the_bytes"),
    ("output --format tf-import", "imports_of_aws_are_as_terraform_writes_them"),
    ("output --format tfvars", "no_secret_is_anywhere_that_nobody_asked_for"),
    ("output --shard", "settings_of_many_plan_files_are_in_one_text"),
    ("output --no-secrets", "no_secret_is_anywhere_that_nobody_asked_for"),
    ("output --out", "every_format_gives_its_reader_exactly_the_bytes"),
    ("output --reveal", "settings_of_all_sections_are_one_list"),
    ("plan", "every_section_is_planned_applied_compared_and_destroyed_by_one_command"),
    ("plan --detailed-exitcode", "every_section_is_planned_applied_compared_and_destroyed_by_one_command"),
    ("plan --format", "reports_of_all_sections_are_one"),
    ("plan --format gitlab", "reports_of_all_sections_are_one"),
    ("plan --format json", "reports_of_all_sections_are_one"),
    ("plan --format markdown", "reports_of_all_sections_are_one"),
    ("plan --format text", "reports_of_all_sections_are_one"),
    ("plan --orphans", "flags_of_a_section_are_those_of_all"),
    ("plan --report", "reports_of_all_sections_are_one"),
    ("CLOUD permissions --for rotate-key", "rights_that_are_printed_are_needed_and_enough"),
    ("azure rotate-key", "new_key_is_given_and_the_former_one_made_useless_when_the_server_has_it"),
    ("azure rotate-key --finish", "new_key_is_given_and_the_former_one_made_useless_when_the_server_has_it"),
    ("azure rotate-key --out", "new_key_is_given_and_the_former_one_made_useless_when_the_server_has_it"),
    ("azure rotate-key --reveal", "next_rotation_needs_to_be_told_which_key_the_server_has"),
    ("azure rotate-key --server-has", "next_rotation_needs_to_be_told_which_key_the_server_has"),
    ("azure rotate-key --server-has key1", "next_rotation_needs_to_be_told_which_key_the_server_has"),
    ("azure rotate-key --server-has key2", "next_rotation_needs_to_be_told_which_key_the_server_has"),
    ("azure rotate-key --yes", "nothing_is_made_anew_where_it_could_not_be_used"),
    ("diff", "saved_reports_are_compared_finding_by_finding"),
    ("diff --format", "saved_reports_are_compared_finding_by_finding"),
    ("diff --format markdown", "saved_reports_are_compared_finding_by_finding"),
    ("diff --format text", "saved_reports_are_compared_finding_by_finding"),
    ("doctor", "screen_says_what_was_looked_at_and_what_to_do"),
    ("schema --for diff", "schemas_refuse_what_they_do_not_name"),
    ("schema --for doctor", "schemas_refuse_what_they_do_not_name"),
    ("CLOUD drift --shard", "shards_are_merged_into_the_report_of_all"),
    ("drift --shard", "shards_are_merged_into_the_report_of_all"),
    ("plan --shard", "shards_are_merged_into_the_report_of_all"),
    ("apply --shard", "many_plan_files_are_applied_and_the_rest_after_a_failure"),
    ("apply --max-failures", "no_other_plan_file_is_begun_after_so_many_failures"),
    ("report", "shards_are_merged_into_the_report_of_all"),
    ("report merge", "shards_are_merged_into_the_report_of_all"),
    ("report merge --format", "shards_are_merged_into_the_report_of_all"),
    ("report merge --report", "shards_are_merged_into_the_report_of_all"),
    ("report merge --format text", "shards_are_merged_into_the_report_of_all"),
    ("report merge --format markdown", "shards_are_merged_into_the_report_of_all"),
    ("report merge --format junit", "shards_are_merged_into_the_report_of_all"),
    ("report merge --format sarif", "shards_are_merged_into_the_report_of_all"),
    ("report merge --format json", "shards_are_merged_into_the_report_of_all"),
    ("report merge --format html", "shards_are_merged_into_the_report_of_all"),
    ("completions", "usage_exits_with_64"),
    ("init", "usage_exits_with_64"),
    ("init --byob", "example_for_a_server_of_others_is_applied"),
    ("man", "manual_has_a_page_for_each_command"),
    ("man --dir", "manual_has_a_page_for_each_command"),
    ("sandbox", "serve_prints_what_clients_need_and_the_binary_obeys_it"),
    ("sandbox reset", "damaged_state_is_an_error_and_a_torn_end_a_warning"),
    ("sandbox reset --dir", "served_on_the_port_and_in_the_folder_that_are_asked_for"),
    ("sandbox serve", "serve_prints_what_clients_need_and_the_binary_obeys_it"),
    ("sandbox serve --dir", "served_on_the_port_and_in_the_folder_that_are_asked_for"),
    ("sandbox serve --faults", "serve_misbehaves_as_a_file_says"),
    ("sandbox serve --real-time", "queue_s_name_is_free_after_a_minute_in_real_time_and_after_a_second_otherwise"),
    ("sandbox serve --identity", "serve_lets_an_identity_do_what_its_document_says"),
    ("sandbox serve --port", "served_on_the_port_and_in_the_folder_that_are_asked_for"),
    ("schema", "usage_exits_with_64"),
    ("schema --for", "schemas_refuse_what_they_do_not_name"),
    ("schema --for drift", "schemas_refuse_what_they_do_not_name"),
    ("schema --for events", "schemas_refuse_what_they_do_not_name"),
    ("schema --for output", "schemas_refuse_what_they_do_not_name"),
    ("schema --for plan", "schemas_refuse_what_they_do_not_name"),
    ("schema --for plan-file", "schemas_refuse_what_they_do_not_name"),
    ("show", "saved_change_set_is_applied_without_its_plan_file"),
    ("show --format", "reports_of_a_plan_and_of_a_saved_one_are_the_same"),
    ("show --format gitlab", "reports_of_a_plan_and_of_a_saved_one_are_the_same"),
    ("show --format json", "reports_of_a_plan_and_of_a_saved_one_are_the_same"),
    ("show --format markdown", "reports_of_a_plan_and_of_a_saved_one_are_the_same"),
    ("show --format text", "reports_of_a_plan_and_of_a_saved_one_are_the_same"),
    ("show --report", "reports_of_a_plan_and_of_a_saved_one_are_the_same"),
    ("slack", "app_is_made_noted_changed_and_destroyed"),
    ("slack apply --out", "secrets_are_in_the_file_that_was_asked_for_alone"),
    ("slack apply --reveal", "secret_is_printed_where_it_was_asked_for"),
    ("slack token", "token_is_made_anew_and_saved_first"),
    ("slack token --out", "token_is_made_anew_and_saved_first"),
    ("version", "usage_exits_with_64"),
    ("validate", "mistakes_are_reported_at_once_and_nothing_is_sent"),
];

/// What Slack has as the clouds have it.
const SHARED: [&str; 5] = ["plan", "apply", "drift", "destroy", "output"];

#[test]
fn every_command_flag_and_value_has_a_test() {
    let shown = shown();
    let covered: BTreeMap<_, _> = COVERED.iter().copied().collect();
    assert_eq!(covered.len(), COVERED.len(), "an entry is there twice");
    let missing: Vec<_> = shown.iter().filter(|what| !covered.contains_key(what.as_str())).collect();
    assert!(missing.is_empty(), "these have no test: {missing:#?}");
    let gone: Vec<_> = covered.keys().filter(|what| !shown.contains(**what)).collect();
    assert!(gone.is_empty(), "these are not shown any more: {gone:#?}");
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"));
    for test in covered.values() {
        assert!(sources.contains(&format!("fn {test}(")), "there is no test {test}");
    }
}

#[test]
fn readme_names_every_command_flag_and_value() {
    let readme = include_str!("../../README.md");
    for (what, _) in COVERED.iter().filter(|(what, _)| !["--help", "--version"].contains(what)) {
        let (command, flag) = what.split_at(what.find("--").unwrap_or(what.len()));
        // What not every cloud has is named with one that does.
        let commands = ["<cloud>", "aws"].map(|cloud| format!("provision {}", command.trim().replace("CLOUD", cloud)));
        let has_command = |line: &str| commands.iter().any(|command| line.contains(command));
        let mut lines = readme.lines().filter(|line| flag.is_empty() || has_command(line) || what.starts_with('-'));
        let named = |line: &str| match flag.is_empty() {
            true => has_command(line),
            false => flag.split(' ').all(|word| line.contains(word)),
        };
        assert!(lines.any(named), "{what} is not in the README");
    }
}

#[test]
fn help_has_own_flags_first_and_the_long_one_examples_and_exit_codes() {
    let readme = include_str!("../../README.md");
    for command in
        [&["aws", "plan"][..], &["gcp", "apply"], &["azure", "destroy"], &["sandbox", "serve"], &["man"], &[]]
    {
        let [short, long] = ["-h", "--help"].map(|flag| help(command, flag));
        let place = |text: &str| long.find(text).unwrap_or_else(|| panic!("no {text} in {long}"));
        let places = ["\nOptions:", "\nGlobal options:", "\nExamples:", "\nExit codes:"].map(place);
        assert!(places.is_sorted(), "{long}");
        assert!(short.contains("\nGlobal options:") && !short.contains("Examples:"), "{short}");
        let codes: Vec<_> = long[places[3]..].lines().skip(2).filter_map(|line| line.trim().split_once("  ")).collect();
        assert!(codes.iter().any(|(code, _)| *code == "64"), "{long}");
        for (code, means) in codes {
            assert!(readme.contains(&format!("| {code} | {} |", means.trim())), "{code} is not so in the README");
        }
    }
    let apply = help(&["gcp", "apply"], "--help");
    assert!(apply.contains("provision gcp apply tfplan") && apply.contains("without asking"), "{apply}");
    let plan_file = "The plan file [default: provision.toml, or plans/aws.toml]";
    assert!(help(&["aws", "plan"], "-h").contains(plan_file));
}

#[test]
fn manual_has_a_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("new/man1");
    run(&["man", "--dir", pages.to_str().unwrap()]);
    let shown = shown();
    let commands = shown.iter().filter(|what| !what.contains("--")).flat_map(|what| match what.strip_prefix("CLOUD") {
        Some(rest) if SHARED.contains(&rest.trim()) => {
            ["aws", "gcp", "azure", "auth0", "slack"].map(|id| format!(" {id}{rest}")).to_vec()
        }
        Some("") => ["aws", "gcp", "azure", "auth0"].map(|id| format!(" {id}")).to_vec(),
        Some(rest) => ["aws", "gcp", "azure"].map(|id| format!(" {id}{rest}")).to_vec(),
        None => vec![format!(" {what}")],
    });
    let commands: Vec<_> = commands.chain([String::new()]).collect();
    for command in &commands {
        let name = format!("provision{command}").replace(' ', "-");
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        for part in [
            &format!(".TH {name} 1 \" \" \"provision "),
            ".SH NAME",
            ".SH OPTIONS",
            ".SH EXAMPLES",
            ".SH \"EXIT STATUS\"",
        ] {
            assert!(page.contains(part), "no {part} in {page}");
        }
        assert!(page.contains(&format!("provision{command}").replace('-', "\\-")), "{page}");
    }
    assert_eq!(std::fs::read_dir(&pages).unwrap().count(), commands.len());
    assert_eq!(run(&["man"]), std::fs::read_to_string(pages.join("provision.1")).unwrap());
}

/// What the help of every command shows.
fn shown() -> BTreeSet<String> {
    let (mut shown, mut global) = (BTreeSet::new(), BTreeSet::from(["help".to_owned(), "version".to_owned()]));
    look_into(&[], &mut shown, &mut global);
    shown
}

/// The text of all files of the suite.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: std::path::PathBuf| match path.extension() {
        _ if path.is_dir() => sources(&path),
        Some(extension) if extension == "rs" => std::fs::read_to_string(path).unwrap(),
        _ => String::new(),
    };
    entries.map(text).collect()
}

/// What the help of a command shows: its sub-commands, and flags and values that are its own.
fn look_into(command: &[&str], shown: &mut BTreeSet<String>, global: &mut BTreeSet<String>) {
    let help = help(command, "--help");
    let place = match command {
        ["azure", "rotate-key", ..] => command.join(" "),
        ["aws" | "gcp" | "azure" | "auth0", rest @ ..] => [&["CLOUD"], rest].concat().join(" "),
        ["slack", shared] if SHARED.contains(shared) => format!("CLOUD {shared}"),
        _ => command.join(" "),
    };
    let of = |what: &str| match command {
        ["slack", "apply"] if ["--out", "--reveal"].contains(&what) => format!("slack apply {what}"),
        ["azure"] if what == "rotate-key" => format!("azure {what}"),
        // What it has as the clouds have it, is shown with them.
        ["slack"] if SHARED.contains(&what) => format!("CLOUD {what}"),
        _ if place.is_empty() => what.to_owned(),
        _ => format!("{place} {what}"),
    };
    let (mut section, mut flag, mut sub_commands) = (String::new(), String::new(), Vec::new());
    for line in help.lines().filter(|line| !line.trim().is_empty()) {
        let text = line.trim_start();
        let options = section.to_lowercase().ends_with("options");
        if !line.starts_with(' ') {
            section = line.trim_end_matches(':').to_owned();
        } else if section == "Commands" && line.starts_with("  ") && !line.starts_with("   ") {
            let name = text.split(' ').next().unwrap_or_default();
            if name != "help" {
                let sub_command = [command, &[name]].concat();
                let name = if ["aws", "gcp", "azure", "auth0"].contains(&name) { "CLOUD" } else { name };
                shown.insert(of(name));
                sub_commands.push(sub_command);
            }
        } else if options && text.starts_with('-') && text.contains("--") && !text.starts_with("- ") {
            let name = text.split("--").nth(1).unwrap_or_default();
            flag = name.chars().take_while(|character| character.is_ascii_lowercase() || *character == '-').collect();
        }
        if command.is_empty() && options {
            global.insert(flag.clone());
        }
        // Those of the whole program are shown with every command.
        let own = command.is_empty() || !global.contains(&flag);
        if options && !flag.is_empty() && own {
            shown.insert(of(&format!("--{flag}")));
            shown.extend(values(text).into_iter().map(|value| of(&format!("--{flag} {value}"))));
        }
    }
    for sub_command in sub_commands {
        look_into(&sub_command, shown, global);
    }
}

/// The values that a line names.
fn values(text: &str) -> Vec<String> {
    if let Some((_, list)) = text.split_once("[possible values: ") {
        return list.trim_end_matches(']').split(", ").map(str::to_owned).collect();
    }
    let value = text.strip_prefix("- ").and_then(|rest| rest.split_once(':'));
    value.map(|(name, _)| name.to_owned()).into_iter().collect()
}

fn help(command: &[&str], flag: &str) -> String {
    run(&[command, &[flag]].concat())
}

fn run(arguments: &[&str]) -> String {
    let output = Command::new(binary()).args(arguments).env_clear().output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}
