//! Each format with what its reader would stumble over.

use super::*;
use crate::output::{Secret, SecretKey, Setting};

const LICENSE: &str = "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl";

fn secret(name: &str, value: &str) -> Output {
    Output { name: name.to_owned(), value: Setting::Revealed(Secret::new(value)) }
}

fn in_kubernetes(name: &str) -> Output {
    let place = SecretKey { secret: "wandb-license".to_owned(), key: "license".to_owned() };
    Output { name: name.to_owned(), value: Setting::InKubernetes(place) }
}

/// What a deployment on S3 has, its secrets too.
fn on_s3() -> Vec<Output> {
    vec![
        Output::new("HOST", "https://wandb.example.com"),
        Output::new("BUCKET", "s3://acme-files"),
        Output::new("BUCKET_QUEUE", "sqs://acme-events"),
        Output::new("AWS_REGION", "eu-west-1"),
        secret("LICENSE", LICENSE),
        secret("MYSQL", "mysql://wandb:p%40ss%2Fw%23rd@db.internal:3307/wandb_local?tls=true"),
        Output::new("SLACK_CLIENT_ID", "111.222"),
        secret("SLACK_SECRET", "shh"),
        Output::new("GREETING", "$(HOST) {{ x }} $$"),
        secret("OIDC_SECRET", "s3cr3t"),
    ]
}

fn on_azure() -> Vec<Output> {
    vec![
        Output::new("HOST", "https://wandb.example.com"),
        Output::new("BUCKET", "az://acmewandb/wandb-files"),
        Output::new("BUCKET_QUEUE", "az://acmewandb/wandb-events"),
        Output::sealed("AZURE_STORAGE_KEY"),
        in_kubernetes("LICENSE"),
        in_kubernetes("MYSQL"),
    ]
}

fn written(outputs: &[Output], format: OutputFormat, in_full: bool) -> Result<Written, String> {
    let settings = Settings { deployment: "wandb-prod", version: Some("0.81.0"), outputs, in_full };
    render(&settings, format).map_err(|error| error.to_string())
}

fn text(outputs: &[Output], format: OutputFormat) -> String {
    written(outputs, format, true).unwrap().text
}

fn screen(written: &Written) -> String {
    let notes: String = written.notes.iter().map(|note| format!("note: {note}\n")).collect();
    format!("{}{}{notes}", written.masks, written.text)
}

#[test]
fn terraform_s_variables_hold_what_terraform_leaves_as_it_is() {
    let of = |value: &str| written(&[Output::new("A", value)], OutputFormat::Tfvars, true);
    assert_eq!(of("caf\u{e9} \u{1f512}").unwrap().text, "a = \"caf\u{e9} \u{1f512}\"\n");
    assert!(of("cafe\u{301}").unwrap_err().contains("A cannot be written in this format"));
}

#[test]
fn shells_and_compose_read_one_line_alike_where_nothing_is_quoted() {
    for format in [OutputFormat::Env, OutputFormat::Dotenv, OutputFormat::Docker, OutputFormat::Gitlab] {
        assert_eq!(text(&[Output::new("KEY", "c2VjcmV0+/==")], format), "KEY=c2VjcmV0+/==\n");
    }
}

#[test]
fn what_means_something_is_quoted() {
    let of = |value: &str, format| text(&[Output::new("A", value)], format);
    assert_eq!(of("it's $HOME", OutputFormat::Env), "A='it'\\''s $HOME'\n");
    assert_eq!(of("it's $HOME", OutputFormat::Dotenv), "A=\"it's \\$HOME\"\n");
    assert_eq!(of("a b#c", OutputFormat::Dotenv), "A='a b#c'\n");
    assert_eq!(of("it's `rm`", OutputFormat::Dotenv), "A=\"it's \\0140rm\\0140\"\n");
    assert_eq!(of("", OutputFormat::Env), "A=\n");
    assert_eq!(of("\"${a}%{b}\"\n", OutputFormat::Tfvars), "a = \"\\\"$${a}%%{b}\\\"\\n\"\n");
}

#[test]
fn what_a_line_cannot_hold_is_refused_by_name() {
    for (value, format) in [
        ("secret\nline", OutputFormat::Docker),
        ("secret\r", OutputFormat::Docker),
        (&*"secret".repeat(12_000), OutputFormat::Docker),
        ("secret\nline", OutputFormat::Gitlab),
        (" secret", OutputFormat::Gitlab),
    ] {
        let refused = written(&[Output::new("NAME", value)], format, true).unwrap_err();
        assert!(refused.contains("NAME cannot be written") && !refused.contains("secret"), "{refused}");
    }
    let large: Vec<_> = (0..200).map(|index| Output::new(&format!("NAME_{index}"), "x".repeat(30))).collect();
    assert!(written(&large, OutputFormat::Gitlab, true).unwrap_err().contains("less than 5 KB"));
}

/// Of these only the variables are too many.
#[test]
fn gitlab_takes_so_many_variables() {
    let of = |count: usize| {
        let outputs: Vec<_> = (0..count).map(|index| Output::new(&format!("N{index}"), "x")).collect();
        written(&outputs, OutputFormat::Gitlab, true)
    };
    assert!(of(50).unwrap().notes.is_empty());
    assert!(of(51).unwrap().notes[0].contains("50 on Free") && of(150).is_ok());
    assert!(of(151).unwrap_err().contains("150 variables"));
}

#[test]
fn github_s_runner_keeps_names_for_itself() {
    for name in ["NODE_OPTIONS", "GITHUB_SHA", "runner_os"] {
        let refused = written(&[Output::new(name, "x")], OutputFormat::Github, true).unwrap_err();
        assert!(refused.contains(name), "{refused}");
    }
    assert!(written(&[Output::new("MY_GITHUB_SHA", "x")], OutputFormat::Github, true).is_ok());
}

#[test]
fn a_database_without_a_password_has_the_chart_s_key_too() {
    let outputs = [Output::new("MYSQL", "mysql://wandb@db/wandb")];
    let chart = written(&outputs, OutputFormat::Helm, false).unwrap();
    assert!(chart.text.contains("passwordKey: mysql-password"), "{}", chart.text);
    assert!(chart.notes[0].starts_with("secrets are read from Secret `wandb-prod-settings`"), "{:?}", chart.notes);
    let secret = text(&outputs, OutputFormat::K8sSecret);
    assert!(secret.contains("mysql-password: \"\""), "{secret}");
    let kept = written(&[in_kubernetes("LICENSE")], OutputFormat::Helm, false).unwrap();
    assert!(kept.notes.is_empty(), "{:?}", kept.notes);
}

#[test]
fn gitlab_gets_no_secret() {
    let written = written(&on_s3(), OutputFormat::Gitlab, true).unwrap();
    assert!(!written.text.contains(LICENSE) && !written.text.contains("shh"), "{}", written.text);
    assert!(written.notes.iter().any(|note| note.starts_with("LICENSE is left out")), "{:?}", written.notes);
}

#[test]
fn github_masks_secrets_and_ends_lines_with_a_delimiter() {
    let outputs = [Output::new("A", "a=<<b"), secret("B", "100%\nend"), secret("EMPTY", "")];
    let written = written(&outputs, OutputFormat::Github, true).unwrap();
    assert_eq!(written.masks, "::add-mask::100%25%0Aend\n");
    assert!(written.text.starts_with("A=a=<<b\nB<<end_"), "{}", written.text);
    assert_eq!(written.text.lines().count(), 6, "{}", written.text);
}

#[test]
fn secrets_are_referred_to_where_the_chart_takes_a_reference() {
    for outputs in [on_s3(), on_azure()] {
        let sealed = written(&outputs, OutputFormat::Helm, false).unwrap();
        assert!(["shh", "s3cr3t", LICENSE, "p%40ss"].iter().all(|secret| !sealed.text.contains(secret)));
        insta::assert_snapshot!(screen(&sealed));
    }
    let in_full = written(&on_s3(), OutputFormat::Helm, true).unwrap();
    assert!(in_full.text.contains("secret: shh") && !in_full.text.contains(LICENSE), "{}", in_full.text);
}

#[test]
fn variables_go_into_the_pod_as_they_are() {
    let values = text(&on_s3(), OutputFormat::Helm);
    // The chart expands `{{`, and Kubernetes `$(` and `$$`.
    assert!(values.contains("$$(HOST) {{`{{`}} x }} $$$$"), "{values}");
}

#[test]
fn resources_select_from_secrets() {
    for outputs in [on_s3(), on_azure()] {
        insta::assert_snapshot!(screen(&written(&outputs, OutputFormat::Cr, false).unwrap()));
    }
    assert!(text(&on_s3(), OutputFormat::Cr).contains(LICENSE));
    let v1 = text(&on_s3(), OutputFormat::CrV1);
    assert!(v1.contains("apps.wandb.com/v1") && v1.contains("licenseSecret"), "{v1}");
    let settings = Settings { deployment: "a", version: None, outputs: &on_s3(), in_full: true };
    assert!(render(&settings, OutputFormat::Cr).unwrap_err().to_string().contains("set `version` under [server]"));
}

#[test]
fn a_secret_has_the_settings_and_the_chart_s_password() {
    insta::assert_snapshot!(screen(&written(&on_s3(), OutputFormat::K8sSecret, true).unwrap()));
    let azure = written(&on_azure(), OutputFormat::K8sSecret, true).unwrap();
    assert_eq!(azure.notes.len(), 2, "{:?}", azure.notes);
}

#[test]
fn what_is_only_taken_in_full_has_to_be_asked_for() {
    let needs = |format: OutputFormat| -> Vec<String> {
        let outputs = on_s3();
        outputs.into_iter().filter(|output| format.discloses(output)).map(|output| output.name).collect()
    };
    assert_eq!(needs(OutputFormat::Helm), ["SLACK_SECRET"]);
    assert_eq!(needs(OutputFormat::Cr), ["LICENSE"]);
    assert_eq!(needs(OutputFormat::Gitlab), [""; 0]);
    assert_eq!(needs(OutputFormat::Env).len(), 4);
}
