//! The one part of a deployment in Slack.

provision_core::parts! {
    /// A part of a deployment.
    pub(crate) enum Part {
        /// The app.
        App = ("slack.app", "Slack app"),
    }
}

/// The full name in which marks know the app. Which app it is that carries a mark the mark's own text says ([`crate::tags`]): the
/// id is not known before the app is made.
pub(crate) const IDENTITY: &str = "https://api.slack.com/apps";
