//! All providers as one tool: what a person sees of each over a whole life, on a terminal of 80 columns, in one document. Words, order,
//! headings, hints and ends are the same wherever the things are.

use provision_tests::stage::Stage;

use crate::clouds::{AWS, AZURE, CloudFixture, GCP};
use crate::{auth0, slack};

const COLUMNS: u16 = 80;

/// The life of a deployment, and what stands in for a change by somebody else.
struct Life {
    provider: &'static str,
    stage: Stage,
    /// What `apply` needs too.
    apply: &'static [&'static str],
    change: fn(&Stage),
}

impl Life {
    fn in_cloud(cloud: &'static CloudFixture, change: fn(&Stage)) -> Self {
        Self { provider: cloud.name, stage: cloud.planned(), apply: &[], change }
    }

    fn of(provider: &'static str, stage: Stage, apply: &'static [&'static str], change: fn(&Stage)) -> Self {
        Self { provider, stage, apply, change }
    }

    fn screen(&self, arguments: &[&str]) -> String {
        self.screen_of(&[&[self.provider], arguments].concat())
    }

    /// A screen, without the lines of progress, which come in any order.
    fn screen_of(&self, command: &[&str]) -> String {
        let (code, screen) = self.stage.run_on_screen(&[command, &["--no-color"]].concat(), "dumb", COLUMNS);
        let is_progress = |line: &&str| line.starts_with("  ") && line.trim_end().ends_with(" s)");
        let lines = screen.replace('\r', "");
        let lines: Vec<_> = lines.lines().filter(|line| !is_progress(line)).map(str::trim_end).collect();
        format!("$ provision {} (exit {code})\n{}\n", command.join(" "), lines.join("\n").trim_end())
    }

    fn screens(&self) -> String {
        let apply = [&["apply", "--yes"], self.apply].concat();
        let mut shown = vec![self.screen_of(&["init", self.provider]), self.screen(&["-h"])];
        shown.extend([&["plan"][..], &apply, &["plan"]].map(|command| self.screen(command)));
        shown.push(self.screen_of(&["doctor", self.provider]));
        if ["aws", "gcp", "azure"].contains(&self.provider) {
            shown.push(self.screen(&["verify", "--read-only"]));
        }
        (self.change)(&self.stage);
        shown.extend([&["drift"][..], &["output"], &["plan", "--destroy"]].map(|command| self.screen(command)));
        shown.extend([&["destroy", "--yes"][..], &["drift"]].map(|command| self.screen(command)));
        format!("# {}\n\n{}", self.provider, shown.join("\n"))
    }
}

fn lives() -> [Life; 5] {
    [
        Life::in_cloud(&AWS, |stage| (AWS.edits.facets[0].make)(&stage.hand())),
        Life::in_cloud(&GCP, |stage| (GCP.edits.facets[0].make)(&stage.hand())),
        Life::in_cloud(&AZURE, |stage| (AZURE.edits.facets[0].make)(&stage.hand())),
        Life::of("auth0", auth0::planned(), &[], auth0::change_the_type),
        Life::of("slack", slack::planned(slack::PLAN), &["--out", "slack.env"], slack::change_the_name),
    ]
}

#[test]
fn all_commands_on_all_providers_look_like_one_tool() {
    let shown = lives().map(|life| life.screens()).join("\n");
    let mut settings = insta::Settings::clone_current();
    for (pattern, name) in [
        (r"(127\.0\.0\.1|localhost):\d+", "$1:PORT"),
        (r"\(\d{12}\)", "(NUMBER)"),
        (r" in \d+\.\d s", " in N.N s"),
        (r"CLIENT_ID=[0-9A-Za-z]{32}", "CLIENT_ID=ID"),
        (r"provision-[a-z0-9]{12}", "provision-DIGEST"),
        (r"(after|works\.|works:|failed\.)\s+\d+\.\d\s+s\b", "$1 N.N s"),
        (r"SSL_CERT_FILE=/\S+", "SSL_CERT_FILE=PATH"),
        (r"good(\s+)for \d+ minutes", "good${1}for N minutes"),
        (r"provision \d\S+ on \S+ \S+", "provision VERSION"),
        // On a busy machine more is waited for.
        (r"(?m)^  wait .*\n", ""),
    ] {
        settings.add_filter(pattern, name);
    }
    settings.bind(|| insta::assert_snapshot!("one_tool", shown));
}

/// The same flags in the same words wherever there is the same command; Slack has two more, for what it gives once.
#[test]
fn help_is_the_same_on_all_providers() {
    let stage = AWS.planned();
    let options = |provider: &str, command: &str| -> Vec<String> {
        let ran = stage.run_with(&[provider, command, "-h"], |command| {
            command.env("COLUMNS", "200");
        });
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let lines = ran.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.skip_while(|line| line != "Options:").collect()
    };
    let once = |line: &String| line.contains("the secret that Slack gives once");
    // An application has no data, and leaves no queue behind.
    let of_stores =
        |line: &String| ["--orphans ", "--delete-data "].iter().any(|flag| line.starts_with(flag)) || line == "names";
    for command in ["plan", "apply", "drift", "destroy", "output"] {
        let first = options("aws", command);
        assert!(first.len() > 5, "{first:?}");
        for provider in ["gcp", "azure", "auth0", "slack"] {
            let others: Vec<_> = options(provider, command).into_iter().filter(|line| !once(line)).collect();
            let first: Vec<_> = match provider {
                "auth0" | "slack" => first.iter().filter(|line| !of_stores(line)).cloned().collect(),
                _ => first.clone(),
            };
            assert_eq!(others, first, "{provider} {command}");
        }
    }
}

/// Nothing of a help is broken at the end of a line of 80 columns so that it stands under another column.
#[test]
fn exit_codes_stand_on_lines_of_their_own() {
    let stage = AWS.planned();
    let ran = stage.run_with(&["aws", "plan", "--help"], |command| {
        command.env("COLUMNS", "80");
    });
    let (_, codes) = ran.stdout.split_once("Exit codes:\n").unwrap();
    for line in codes.lines() {
        assert!(line.trim_start().starts_with(|letter: char| letter.is_ascii_digit()), "{line}\n{codes}");
    }
}
