//! A manifest, which others have a part in: what is not known of it stays as it is
//! (<https://docs.slack.dev/reference/app-manifest>).

use serde_json::{Value, json};

/// A whole manifest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manifest(Value);

/// Where a list of texts stands in a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// Where people are sent back to.
    RedirectUrls,
    /// What the app may do as itself.
    BotScopes,
    /// From where its tokens may be used.
    IpRanges,
}

impl List {
    const ALL: [Self; 3] = [Self::RedirectUrls, Self::BotScopes, Self::IpRanges];

    const fn path(self) -> &'static [&'static str] {
        match self {
            Self::RedirectUrls => &["oauth_config", "redirect_urls"],
            Self::BotScopes => &["oauth_config", "scopes", "bot"],
            Self::IpRanges => &["settings", "allowed_ip_address_ranges"],
        }
    }
}

const NAME: [&str; 2] = ["display_information", "name"];
/// What lists stand in.
const TABLES: [&[&str]; 3] = [&["oauth_config"], &["oauth_config", "scopes"], &["settings"]];
const DESCRIPTION: [&str; 2] = ["display_information", "description"];

impl Manifest {
    /// One of a new app. A scope of its own makes it a bot, which has a name in letters of an address
    /// (<https://docs.slack.dev/reference/app-manifest#features>).
    pub(crate) fn new(name: &str) -> Self {
        Self(json!({
            "display_information": {"name": name},
            "features": {"bot_user": {"display_name": "wandb", "always_online": false}},
        }))
    }

    /// Read one. What has no name, or something else where what we write would stand, is none.
    pub(crate) fn read(value: Value) -> Result<Self, String> {
        let manifest = Self(value);
        let other = |path: &&&[&str]| !matches!(manifest.at(path), None | Some(Value::Null | Value::Object(_)));
        if let Some(path) = TABLES.iter().find(other) {
            return Err(format!("its {} is no table", path.join(".")));
        }
        if manifest.at(&NAME).and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err("it holds no manifest with a name".to_owned());
        }
        if !matches!(manifest.at(&DESCRIPTION), None | Some(Value::Null | Value::String(_))) {
            return Err("its description is no text".to_owned());
        }
        let texts = |list: &Value| list.as_array().is_some_and(|items| items.iter().all(Value::is_string));
        match List::ALL
            .iter()
            .find(|list| manifest.at(list.path()).is_some_and(|found| !found.is_null() && !texts(found)))
        {
            Some(list) => Err(format!("its {} is no list of texts", list.path().join("."))),
            None => Ok(manifest),
        }
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.0, |value, key| value.get(key))
    }

    /// Put a value on a path, or take what is there away.
    fn set(&mut self, path: &[&str], value: Option<Value>) {
        let Some((last, before)) = path.split_last() else { return };
        if value.is_none() && self.at(path).is_none() {
            return;
        }
        // What is on the way is an object or nothing: that was looked at.
        let holder = before.iter().fold(&mut self.0, |value, key| &mut value[*key]);
        match value {
            Some(value) => holder[*last] = value,
            None => drop(holder.as_object_mut().and_then(|members| members.remove(*last))),
        }
    }

    /// What people see in Slack.
    pub(crate) fn name(&self) -> &str {
        self.at(&NAME).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn set_name(&mut self, name: &str) {
        self.set(&NAME, Some(Value::from(name)));
    }

    /// What is said about the app.
    pub(crate) fn description(&self) -> &str {
        self.at(&DESCRIPTION).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn set_description(&mut self, text: &str) {
        self.set(&DESCRIPTION, (!text.is_empty()).then(|| Value::from(text)));
    }

    /// A list, in its order.
    pub(crate) fn list(&self, list: List) -> Vec<&str> {
        let items = self.at(list.path()).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Put a list in the place of what is there; an empty one is none.
    pub(crate) fn set_list<'t>(&mut self, list: List, items: impl IntoIterator<Item = &'t str>) {
        let items: Vec<_> = items.into_iter().map(Value::from).collect();
        self.set(list.path(), (!items.is_empty()).then_some(Value::Array(items)));
    }

    /// Take some out of a list, and put others to its end that are not in it.
    pub(crate) fn replace_in(&mut self, list: List, out: &[&str], into: &[&str]) {
        let there: Vec<String> = self.list(list).into_iter().map(str::to_owned).collect();
        let stays = |item: &&str| into.contains(item) || !out.contains(item);
        let kept: Vec<_> = there.iter().map(String::as_str).filter(stays).collect();
        let new: Vec<_> = into.iter().copied().filter(|item| !kept.contains(item)).collect();
        let all: Vec<_> = kept.into_iter().chain(new).collect();
        if all != there {
            self.set_list(list, all);
        }
    }

    /// As it is sent: a text (<https://docs.slack.dev/reference/methods/apps.manifest.create#arguments>).
    pub(crate) fn to_text(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others() -> Value {
        json!({
            "_metadata": {"major_version": 2},
            "display_information": {"name": "Alerts", "background_color": "#aa0000"},
            "features": {"slash_commands": [{"command": "/deploy", "description": "Deploy"}]},
            "oauth_config": {"redirect_urls": ["https://theirs.example"], "scopes": {"user": ["chat:write"], "bot": ["commands"]}},
            "settings": {"socket_mode_enabled": true, "of_next_year": {"a": [1]}},
        })
    }

    #[test]
    fn what_others_have_in_a_manifest_stays() {
        let mut manifest = Manifest::read(others()).unwrap();
        manifest.replace_in(List::RedirectUrls, &["https://old.example"], &["https://new.example"]);
        manifest.replace_in(List::BotScopes, &[], &["incoming-webhook"]);
        manifest.set_list(List::IpRanges, ["203.0.113.7"]);
        manifest.set_description("ours");
        let mut expected = others();
        expected["oauth_config"]["redirect_urls"] = json!(["https://theirs.example", "https://new.example"]);
        expected["oauth_config"]["scopes"]["bot"] = json!(["commands", "incoming-webhook"]);
        expected["settings"]["allowed_ip_address_ranges"] = json!(["203.0.113.7"]);
        expected["display_information"]["description"] = json!("ours");
        assert_eq!(manifest.0, expected);
        manifest.replace_in(List::RedirectUrls, &["https://new.example"], &[]);
        manifest.replace_in(List::BotScopes, &["incoming-webhook"], &[]);
        manifest.set_list(List::IpRanges, []);
        manifest.set_description("");
        assert_eq!(manifest.0, others());
    }

    #[test]
    fn lists_are_made_where_there_is_nothing_and_go_when_they_are_empty() {
        let mut manifest = Manifest::new("Alerts");
        let bare = manifest.clone();
        manifest.set_list(List::IpRanges, []);
        assert_eq!(manifest, bare);
        manifest.replace_in(List::BotScopes, &[], &["incoming-webhook"]);
        assert_eq!(manifest.list(List::BotScopes), ["incoming-webhook"]);
        manifest.set_name("Other");
        assert_eq!((manifest.name(), manifest.description()), ("Other", ""));
        let mut strange = Manifest::read(json!({"display_information": {"name": "a"}, "oauth_config": null})).unwrap();
        strange.replace_in(List::RedirectUrls, &[], &["https://a.example"]);
        assert_eq!(strange.list(List::RedirectUrls), ["https://a.example"]);
    }

    #[test]
    fn another_document_is_no_manifest() {
        for other in [
            json!({}),
            json!([]),
            json!({"display_information": {"name": ""}}),
            json!({"display_information": {"name": 1}}),
            json!({"display_information": {"name": "a", "description": 1}}),
            json!({"display_information": {"name": "a"}, "oauth_config": []}),
            json!({"display_information": {"name": "a"}, "oauth_config": {"redirect_urls": "https://a"}}),
            json!({"display_information": {"name": "a"}, "oauth_config": {"scopes": {"bot": [1]}}}),
        ] {
            assert!(Manifest::read(other.clone()).is_err(), "{other}");
        }
    }
}
